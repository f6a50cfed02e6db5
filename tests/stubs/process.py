"""A stub as a process of its own, for tests that kill workers and for benchmarks."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.stubs.knobs import from_command_line
from tests.stubs.server import Stub


@dataclass(frozen=True)
class StubProcess:
    """A running stub. `url` is what engines call; OpenAI's base URL is `url + "/v1"`."""

    url: str
    control_url: str
    pid: int

    def stats(self) -> Any:
        """The counts, and the knobs under `knobs`."""
        return self._ask("/stub/stats")

    def prompts(self) -> Any:
        """The log of prompts: hash, model, key, and text where `keep_texts` is set."""
        return self._ask("/stub/prompts")

    def set(self, **knobs: Any) -> Any:
        """Change knobs."""
        return self._ask("/stub/control", {"set": knobs})

    def script(self, *faults: str | dict[str, Any]) -> Any:
        """Queue what the next requests meet."""
        return self._ask("/stub/control", {"script": faults})

    def batch_fault(self, at: str, fault: str | dict[str, Any], *, done: bool = False) -> Any:
        """What the next such operation of the batch API meets."""
        return self._ask(
            "/stub/control", {"batch_faults": [{"at": at, "fault": fault, "done": done}]}
        )

    def batch_fate(self, **fate: Any) -> Any:
        """What becomes of the next batch."""
        return self._ask("/stub/control", {"batch_fates": [fate]})

    def settled(self) -> Any:
        """The counts when all batches have come to their end; the bill is under `batches`."""
        return self._ask("/stub/control", {"batch_settle": True})

    def reset(self) -> Any:
        """Set every count back to 0."""
        return self._ask("/stub/control", {"reset": True})

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control_url + path, data)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)


@contextlib.contextmanager
def stub_process(kind: str, *args: str) -> Iterator[StubProcess]:
    """Run `python -m tests.stubs.KIND ARGS` and end it afterwards; kind is a stub's name."""
    command = [sys.executable, "-m", f"tests.stubs.{kind}", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"{command} ended before it listened"
            yield StubProcess(**json.loads(line))
        finally:
            process.kill()


def main(stub: Stub) -> None:
    """Run until SIGTERM or SIGINT; prints one line of JSON when it listens."""
    port = from_command_line(stub.knobs)
    stub.seed(stub.knobs.seed)
    asyncio.run(_serve(stub, port))


async def _serve(stub: Stub, port: int) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await stub.start(port)
    line = {"url": stub.url, "control_url": stub.control_url, "pid": os.getpid()}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    await ended.wait()
    await stub.stop()
