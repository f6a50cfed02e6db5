"""Real processes that use embedded servers, and looks at those servers from outside."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from models.embedded.locks import open_lock_file, process_lock_holder, try_flock
from tests.waiting import wait_until

POSTGRES = "models.embedded:attach_postgres"
VALKEY = "models.embedded:attach_valkey"
LLAMA = "worker.llm.embedded.server:attach_llama"

_ATTACH = """
import sys
from importlib import import_module
from pathlib import Path

for entry in sys.argv[2:]:
    module, name = entry.split(":")
    print(getattr(import_module(module), name)(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


class User:
    """A process that attaches to servers of a home and stays until it is told to go."""

    def __init__(
        self, home: Path, *entries: str, script: str = _ATTACH, prefix: tuple[str, ...] = ()
    ) -> None:
        self._entries = entries
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", script, str(home), *entries],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def line(self) -> str:
        """The next line that the process prints: a URL."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, "the user process ended before it was attached"
        return line

    def urls(self) -> tuple[str, ...]:
        """The URLs of all its servers."""
        return tuple(self.line() for _ in self._entries)

    def end(self, number: signal.Signals | None = None) -> None:
        """Let the process end by itself, or by a signal."""
        if number is not None:
            self.process.send_signal(number)
        self.process.communicate(timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.end()


def server_folder(home: Path, name: str) -> Path:
    """Where a server keeps its data and locks."""
    pointer = home / "run" / f"{name}.place"
    return (Path(pointer.read_text().strip()) if pointer.exists() else home) / name


def server_pid(home: Path, name: str) -> int | None:
    """The process of a running server; None when it does not run."""
    folder = server_folder(home, name)
    return process_lock_holder(folder / "head.lock") if folder.exists() else None


def state(home: Path, name: str) -> dict[str, Any]:
    """What the guardian last wrote."""
    found: dict[str, Any] = json.loads((home / "run" / f"{name}.state").read_text())
    return found


def is_guarded(home: Path, name: str) -> bool:
    """Whether a guardian lives."""
    with open(open_lock_file(home / "run" / f"{name}.guard.lock"), "rb") as lock:
        return not try_flock(lock.fileno(), exclusive=False)


def wait_until_stopped(home: Path, name: str) -> None:
    """Wait until neither the server nor its guardian runs."""
    wait_until(lambda: server_pid(home, name) is None, timeout=30, what=f"{name} stopped")
    wait_until(lambda: not is_guarded(home, name), timeout=30, what=f"guardian of {name} ended")


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A home folder that is not there yet; afterwards every server of it has to stop."""
    parent = Path(tempfile.mkdtemp(prefix="docmill-test-"))
    parent.chmod(0o711)  # or root's Postgres would have to keep its data elsewhere
    home = parent / ".docmill"
    try:
        yield home
        for lock in home.glob("run/*.guard.lock"):
            wait_until_stopped(home, lock.name.split(".")[0])
    finally:
        for pointer in home.glob("run/*.place"):
            shutil.rmtree(pointer.read_text().strip(), ignore_errors=True)
        shutil.rmtree(parent)
