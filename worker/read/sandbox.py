"""Hostile documents: each is read in a child process that may die without harm to the others.

Every child is a pebble pool of its own. Children of one pool share a pipe and its locks, so one
that is killed while it holds them would stop its neighbours. Documents and texts travel as
files, so that a message in the pipe is never so large that it can be cut off half-way.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from multiprocessing.context import SpawnContext, SpawnProcess
from types import TracebackType
from typing import Any, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from models.errors import ReadError
from worker.read.child import OUT_OF_MEMORY, ReadFunction, Task, load, prepare, run
from worker.read.kinds import NeedsOcr, Text, Why, read_document
from worker.read.scratch import Scratch

T = TypeVar("T")
_Failure = tuple[str, str] | None
# The pool's clock starts when a child takes the document. One that no child ever takes, or whose
# end the pool missed, is given up this much later than the wall limit.
_GRACE_S = 60.0
_ATTEMPTS = 2


@dataclass(frozen=True)
class Limits:
    """What one document may take before its child is killed."""

    wall_s: float = 120.0
    cpu_s: float = 120.0
    memory_bytes: int = 2 << 30
    """Address space of the whole child; Python and the parsers take about 0.1 GiB of it."""
    documents_per_child: int = 500
    """A child is replaced after so many documents, whatever they leaked."""


class _Process(SpawnProcess):
    """A child that ignores SIGTERM, so the pool has to end it by SIGKILL."""

    def terminate(self) -> None:
        self.kill()


class _Context(SpawnContext):
    """Spawned, because a fork of a process with threads may inherit a held lock."""

    Process = _Process


class _Child:
    """One child process, started with its first document and again after every accident."""

    def __init__(self, documents: int) -> None:
        self._documents = documents
        self.pool = self._new_pool()
        self.future: Future[_Failure] | None = None

    def renew(self) -> ProcessPool:
        """Turn to a new pool; returns the old one, which the caller has to end."""
        old, self.pool = self.pool, self._new_pool()
        return old

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=1,
            max_tasks=self._documents,
            initializer=prepare,
            initargs=(os.getpid(),),
            context=_Context(),
        )


class Reader:
    """Reads documents in `children` warm processes, one document at a time in each.

    Belongs to one event loop. Has to be closed: call `close`, or use it in a `with` block.
    """

    def __init__(
        self,
        children: int = 2,
        limits: Limits | None = None,
        read: ReadFunction = read_document,
    ) -> None:
        self._limits, self._read = limits or Limits(), read
        self._scratch = Scratch()
        self._numbers = count()
        # Linux kills a child with the thread that started it: this one lives as long as we do.
        self._thread = ThreadPoolExecutor(1, "reader")
        self._children = [_Child(self._limits.documents_per_child) for _ in range(children)]
        self._free: asyncio.Queue[_Child] = asyncio.LifoQueue()
        for child in self._children:
            self._free.put_nowait(child)
        self._closed = False

    async def read(
        self, data: bytes, media_type: str, name: str, read: ReadFunction | None = None
    ) -> Text:
        """Read one document, waiting for a free child first. `name` is for messages only; `read`
        is what reads it, where it is not what this reader was made with.

        Raises ReadError: `reader_timeout`, `reader_memory`, `reader_crashed`, or what the reader
        itself said, such as NeedsOcr. A cancelled read kills its child. `close` cancels the reads
        under way.
        """
        child = await self._free.get()
        try:
            for _ in range(_ATTEMPTS):
                if self._closed:
                    raise RuntimeError("the reader is closed")
                try:
                    return await self._read_in(child, data, media_type, name, read or self._read)
                except RuntimeError:  # the pool broke; it cannot say whether this document did it
                    self._renew(child)
            raise ReadError("reader_crashed", f"{name}: its reader process died twice")
        finally:
            self._free.put_nowait(child)

    async def _read_in(
        self, child: _Child, data: bytes, media_type: str, name: str, read: ReadFunction
    ) -> Text:
        task = self._task(media_type, name)
        try:
            failure = await self._outcome(child, data, task, read)
            if failure and failure[0] != Why.NEEDS_OCR:
                raise ReadError(*failure)
            text = await self._off_loop(partial(load, task.target, data))
            if failure:
                raise NeedsOcr(failure[1], text)
            return text
        except ProcessExpired as error:
            raise self._died(name, error.exitcode) from error
        except TimeoutError as error:
            self._renew(child)
            raise self._too_slow(name, f"{self._limits.wall_s:g} s") from error
        except asyncio.CancelledError:
            self._renew(child)
            raise
        finally:
            child.future = None
            self._later(partial(_remove, task))

    async def _outcome(
        self, child: _Child, data: bytes, task: Task, read: ReadFunction
    ) -> _Failure:
        future = await self._off_loop(partial(self._start, child.pool, data, task, read))
        child.future = future
        async with asyncio.timeout(self._limits.wall_s + _GRACE_S):
            return await asyncio.wrap_future(future)

    def _task(self, media_type: str, name: str) -> Task:
        path = self._scratch.path / str(next(self._numbers))
        return Task(
            path.with_suffix(".in"),
            path.with_suffix(".out"),
            media_type,
            name,
            self._limits.cpu_s,
            self._limits.memory_bytes,
        )

    def _start(
        self, pool: ProcessPool, data: bytes, task: Task, read: ReadFunction
    ) -> Future[_Failure]:
        task.source.write_bytes(data)
        return pool.schedule(run, (read, task), timeout=self._limits.wall_s)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _later(self, work: Callable[[], None]) -> None:
        """Do it after whatever the thread still has to do; `close` does it all anyway."""
        if not self._closed:
            self._thread.submit(work)

    def _renew(self, child: _Child) -> None:
        """Give up a child's pool, and the child with it."""
        self._later(partial(_end, [child.renew()]))

    def _died(self, name: str, exitcode: int) -> ReadError:
        """The error for a child that ended by itself or by the kernel's hand."""
        if exitcode == OUT_OF_MEMORY:
            limit = f"{self._limits.memory_bytes / 2**20:,.0f} MiB"
            return ReadError("reader_memory", f"{name} needs more than {limit} of memory to read")
        if exitcode == -signal.SIGXCPU:
            return self._too_slow(name, f"{self._limits.cpu_s:g} s of CPU time")
        how = f"signal {-exitcode}" if exitcode < 0 else f"exit status {exitcode}"
        return ReadError("reader_crashed", f"{name}: its reader process died of {how}")

    def _too_slow(self, name: str, limit: str) -> ReadError:
        return ReadError("reader_timeout", f"{name} was not read within {limit}")

    def close(self) -> None:
        """Cancel the reads under way and end all children; takes some tenths of a second."""
        if self._closed:
            return
        self._closed = True
        for future in [child.future for child in self._children if child.future]:
            future.cancel()
        _end([child.pool for child in self._children])
        self._thread.shutdown()
        self._scratch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


# Any: pebble's `stop` and `join` carry no types.
def _end(pools: list[Any]) -> None:
    """End pools and their processes; all are told before any is waited for."""
    for pool in pools:
        pool.stop()
    for pool in pools:
        pool.join()


def _remove(task: Task) -> None:
    """Leave nothing of a document behind, however its reading ended."""
    for path in task.target.parent.glob(f"{task.target.stem}.*"):
        path.unlink(missing_ok=True)
