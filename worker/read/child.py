"""What runs inside a sandbox's child process: one document under limits that the kernel holds.

Standard library only, apart from the parsers, so that a child starts quickly.
"""

import ctypes
import json
import math
import os
import resource
import signal
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.boxes import PageBoxes
from models.errors import ReadError
from worker.read.kinds import Gap, NeedsOcr, Page, Scan, Text, Why

ReadFunction = Callable[[bytes, str, str], Text]
"""Takes data, media type and name; raises ReadError. A child imports it by module and name."""

OUT_OF_MEMORY = 77
"""Exit status of a child whose document met the memory limit."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Task:
    """One document for a child: it is in the file `source`; its text goes to the file `target`."""

    source: Path
    target: Path
    media_type: str
    name: str
    cpu_s: float
    memory_bytes: int


def prepare(parent: int) -> None:
    """Get a fresh child ready: tied to its `parent` (a process id), parsers loaded, no core dumps.

    Signals to the whole terminal or service are the parent's to act on; it ends a child by
    SIGKILL.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    die_with(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import worker.read.readers  # noqa: F401 - loaded now, outside any document's limits


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process with the thread that started it.

    Elsewhere than on Linux an idle child ends when its pipe closes, a busy one at its CPU limit.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def run(read: ReadFunction, task: Task) -> tuple[str, str] | None:
    """Read one document into `task.target`; returns the category and message of a failure.

    Nothing is raised: an exception would have to survive pickling on its way to the parent. A
    child that ran out of memory ends, since nobody knows what state it is in.
    """
    data = task.source.read_bytes()
    task.source.unlink()  # left to nobody, even if this process is killed
    try:
        with _limits(task.cpu_s, task.memory_bytes):
            return _read(read, data, task)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except ReadError as error:
        return error.category, str(error)
    # The document's failure, not the worker's. What panics in compiled code is no Exception.
    except BaseException as error:
        return "reader_crashed", f"{task.name}: {type(error).__name__}: {error}"


def _read(read: ReadFunction, data: bytes, task: Task) -> tuple[str, str] | None:
    """What needs OCR is a failure that has a text: of pages that can be shown to it."""
    failure = None
    try:
        text = read(data, task.media_type, task.name)
    except NeedsOcr as error:
        text, failure = error.text, (error.category, str(error))
    save(text, task.target, data)
    return failure


@contextmanager
def _limits(cpu_s: float, memory_bytes: int) -> Iterator[None]:
    """Soft limits for one document; lifted again before anything goes back through the pipe."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + cpu_s))
    limit_memory(memory_bytes)
    try:
        yield
    finally:
        _limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
        _limit(resource.RLIMIT_CPU, resource.RLIM_INFINITY)


def limit_memory(size: int) -> None:
    """Bound the address space of this process, in bytes."""
    _limit(resource.RLIMIT_AS, size)


def _limit(kind: int, soft: int) -> None:
    if kind == resource.RLIMIT_AS and sys.platform != "linux":
        return  # macOS refuses any value; the CPU and wall limits still hold
    hard = resource.getrlimit(kind)[1]
    unlimited = resource.RLIM_INFINITY
    if hard != unlimited:
        soft = hard if soft == unlimited else min(soft, hard)
    resource.setrlimit(kind, (soft, hard))


def save(text: Text, target: Path, document: bytes) -> None:
    """Write a text where `load` finds it. JSON: a parent must not unpickle a child's file.

    What its scans are in is written beside it, each file once, unless it is the document itself.
    """
    files = {id(document): 0}
    for scan in text.scans:
        if id(scan.data) not in files:
            files[id(scan.data)] = len(files)
            _beside(target, files[id(scan.data)]).write_bytes(scan.data)
    pages = [[page.number, page.text, page.scanned, _plain(page.boxes)] for page in text.pages]
    gaps = [[gap.why, gap.pages] for gap in text.gaps]
    scans = [[s.page, files[id(s.data)], s.media_type, s.number] for s in text.scans]
    with target.open("w", encoding="utf-8", newline="") as file:
        json.dump([pages, text.notes, gaps, scans], file, ensure_ascii=False)


def load(target: Path, document: bytes) -> Text:
    """Read the text that `save` wrote."""
    pages, notes, gaps, scans = json.loads(target.read_bytes())
    files = {0: document}
    for _, file, _, _ in scans:
        if file not in files:
            files[file] = _beside(target, file).read_bytes()
    return Text(
        tuple(Page(number, text, scanned, _boxes(of)) for number, text, scanned, of in pages),
        tuple(notes),
        tuple(Gap(Why(why), where) for why, where in gaps),
        tuple(Scan(page, files[file], kind, number) for page, file, kind, number in scans),
    )


def _plain(boxes: PageBoxes | None) -> list[Any] | None:
    return [boxes.ratio, b64encode(boxes.packed).decode()] if boxes else None


def _boxes(plain: list[Any] | None) -> PageBoxes | None:
    return PageBoxes(plain[0], b64decode(plain[1])) if plain else None


def _beside(target: Path, file: int) -> Path:
    """Where the file of that number lies, which a document holds."""
    return target.with_suffix(f".{file:d}")
