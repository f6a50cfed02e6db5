"""Replay: what stands in journals that no process holds any more is settled in the ledger.

Answers that arrived but did not reach Postgres are used when their job runs again, so that nothing
is asked, or paid, twice. Files are read line by line in a thread and settled block by block: the
loop never waits for a long one. One bad file, line or row takes no other along.
"""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson
import psycopg

from worker.db import reason
from worker.log import logger

BLOCK_ROWS, BLOCK_BYTES = 100, 2**20
"""What is settled in one statement: so many rows, and no more bytes unless one row has them."""

LINE_BYTES = 16 * 2**20
"""Far above any answer. What is longer is no line of a journal, and is broken where it is cut."""

OF_THE_STATEMENT = ("42", "55", "57")
"""Classes of errors that are about no row: a right or a column is missing, a lock or a time limit
was met, an operator stepped in (PostgreSQL manual, appendix on error codes)."""

Row = dict[str, Any]
Settle = Callable[[Sequence[Row]], Awaitable[int]]
"""Writes rows into the ledger; how many of them were not there yet. It waits outages out, and does
no harm where a row is there, also while its turn is still under way. Raises psycopg.Error."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a journal, and the ledger row that it holds."""

    line: bytes
    row: Row


class Replay:
    """Looks for journals whose lock is free: their process died, or left them as late."""

    def __init__(self, folder: Path, settle: Settle) -> None:
        self._folder = folder
        self._settle = settle
        self._said: set[Path] = set()
        """Files whose trouble stands in the log."""

    async def look(self) -> None:
        """Settle every answer in them, and delete them. What cannot be read, or not be settled for
        a reason that no row has, is said once and tried again at the next look."""
        for path in sorted(self._folder.glob("*.jsonl")):
            try:
                with _locked(path) as file:
                    if file is not None:
                        await self._replay(path, file)
            except OSError as exc:
                self._say(
                    path,
                    "a journal cannot be replayed, and its answers may be paid again: let this "
                    "user read and write it, or remove it",
                    exc.strerror,
                )
            except psycopg.Error as exc:
                self._say(path, "Postgres takes no journal; it is tried again", reason(exc))
            else:
                self._said -= {path, path.with_suffix(".bad")}

    async def _replay(self, path: Path, file: BinaryIO) -> None:
        answers = 0
        blocks = _blocks(path, file)
        while block := await asyncio.to_thread(next, blocks, None):
            answers += await self._settle_block(path, block)
        if answers:
            logger().info("replayed answers", answers=answers, journal=path.name)
        path.unlink(missing_ok=True)

    async def _settle_block(self, path: Path, block: Sequence[Entry]) -> int:
        try:
            return await self._settle([entry.row for entry in block])
        except psycopg.Error as exc:
            if exc.sqlstate is not None and exc.sqlstate.startswith(OF_THE_STATEMENT):
                raise
            if len(block) == 1:
                self._set_aside(path.with_suffix(".bad"), block[0], exc)
                return 0
        return sum([await self._settle_block(path, [entry]) for entry in block])

    def _set_aside(self, bad: Path, entry: Entry, exc: psycopg.Error) -> None:
        with open(bad, "ab", opener=_private) as file:
            file.write(entry.line)
        self._say(
            bad,
            "Postgres refuses an answer; it is kept aside: "
            "rename the file to end in .jsonl to have it tried again",
            reason(exc),
        )

    async def forget(self, purged: "Purged") -> None:
        """Take out of what is kept aside the answers of calls whose job was purged."""
        for path in sorted(self._folder.glob("*.bad")):
            with suppress(OSError, psycopg.Error), _locked(path) as file:  # and looked at again
                if file is not None:
                    await _forget_in(path, file, purged)

    def _say(self, path: Path, what: str, why: str | None) -> None:
        if path not in self._said:
            self._said.add(path)
            logger().error(what, path=str(path), why=why)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO | None]:
    """The file; None where somebody holds it, or has just deleted it. Over NFS only what is opened
    for writing can be locked."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file if os.fstat(file.fileno()).st_nlink else None


def _blocks(path: Path, file: BinaryIO) -> Iterator[list[Entry]]:
    block: list[Entry] = []
    size = broken = 0
    while line := file.readline(LINE_BYTES):
        row = _row(line)
        if row is None:
            broken += line.endswith(b"\n")  # else the kill cut it off: it had not fully arrived
            continue
        if len(block) == BLOCK_ROWS or (block and size + len(line) > BLOCK_BYTES):
            yield block
            block, size = [], 0
        block.append(Entry(line, row))
        size += len(line)
    if broken:
        logger().error("passed over broken lines of a journal", path=str(path), lines=broken)
    if block:
        yield block


Purged = Callable[[Sequence[UUID]], Awaitable[set[UUID]]]


async def _forget_in(path: Path, file: BinaryIO, purged: Purged) -> None:
    gone: set[UUID] = set()
    blocks = _blocks(path, file)
    while block := await asyncio.to_thread(next, blocks, None):
        calls = [call for entry in block if (call := _call_of(entry.row)) is not None]
        gone |= await purged(calls)
    if gone:
        await asyncio.to_thread(_rewrite, path, file, gone)


def _call_of(row: Row) -> UUID | None:
    try:
        return UUID(row.get("id"))
    except (ValueError, TypeError, AttributeError):  # a line of which nobody knows whose it is
        return None


def _rewrite(path: Path, file: BinaryIO, gone: Collection[UUID]) -> None:
    draft = path.with_suffix(".tmp")
    file.seek(0)
    with open(draft, "wb", opener=_private) as kept:
        for block in _blocks(path, file):
            kept.writelines(one.line for one in block if _call_of(one.row) not in gone)
    if draft.stat().st_size:
        draft.replace(path)
    else:
        draft.unlink()
        path.unlink()


def _row(line: bytes) -> Row | None:
    try:
        row = orjson.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
