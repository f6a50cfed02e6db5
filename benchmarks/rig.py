"""What every benchmark stands on: real servers, real worker processes, stub engines."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.bare import MODEL, text
from models.embedded import attach_postgres
from tests.commands import Docmill, Running
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until

OTHER_MODEL = "gemma3:4b"
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Measured:
    """One line of the result: a figure, the bar that it has to clear, and whether it did."""

    name: str
    figure: float
    bar: float | None = None
    at_most: bool = False
    unit: str = ""

    @property
    def ok(self) -> bool | None:
        """None: only reported."""
        if self.bar is None:
            return None
        return self.figure <= self.bar if self.at_most else self.figure >= self.bar


@contextmanager
def bench(**knobs: str) -> Iterator[tuple[Docmill, StubProcess]]:
    """A Docmill with embedded servers of its own, and an Ollama stub with these knobs."""
    flags = [word for key, value in knobs.items() for word in (f"--{key}", value)]
    with (
        # its servers may still write a last file
        tempfile.TemporaryDirectory(prefix="docmill-bench-", ignore_cleanup_errors=True) as folder,
        stub_process("ollama", "--models", f"{MODEL},{OTHER_MODEL}", *flags) as stub,
    ):
        Path(folder).chmod(0o755)
        yield Docmill(Path(folder), {"OLLAMA_HOST": stub.url}), stub


def texts(number: int, first: int = 0) -> str:
    """JSONL of so many short, distinct documents, numbered from the first."""
    numbers = range(first, first + number)
    return "".join(json.dumps({"id": n, "text": text(n)}) + "\n" for n in numbers)


def connect(docmill: Docmill) -> psycopg.Connection[Any]:
    """A connection to the benchmark's database."""
    url = attach_postgres(docmill.folder / ".docmill")
    return psycopg.connect(url, autocommit=True)


def until(condition: Callable[[], Any], *, every_s: float = 0.02) -> None:
    """Wait until it holds. Where Postgres has to count many rows for it, look seldom: it is the
    same Postgres that is measured."""
    wait_until(condition, timeout=PATIENCE_S, every=every_s, what="a condition of the benchmark")


def cpu_s(running: Running) -> float:
    """CPU seconds that a process and its children have used so far."""
    process = psutil.Process(running.process.pid)
    spent = [process.cpu_times()] + [child.cpu_times() for child in process.children(True)]
    return float(sum(times.user + times.system for times in spent))


def count(connection: psycopg.Connection[Any], query: str, *params: Any) -> int:
    """One number from the database."""
    row = connection.execute(query, params).fetchone()
    assert row is not None
    return int(row[0])


def own_cpu_s() -> float:
    """CPU seconds that this process has used so far."""
    times = os.times()
    return times.user + times.system
