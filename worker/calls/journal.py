"""The journal: every answer is on this machine's disk before anything else is done with it.

One append-only file per worker process, held by a lock that the kernel drops when the process
dies, however it dies. The next worker on this host replays files whose lock is free: answers that
arrived but did not reach Postgres are settled in the ledger and used when their job runs again,
so that nothing is asked, or paid, twice. Lines go to the kernel at once but are not fsynced: they
survive a killed process and a Postgres outage, not a power cut.
"""

import asyncio
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from worker.jsonb import dumps

COMPACT_BYTES = 1_000_000
"""A file that holds nothing unsettled is emptied when it has grown past this."""


class Journal:
    """This process's journal."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / f"{uuid4().hex}.jsonl"
        draft = self.path.with_suffix(".new")  # not yet locked, it would look abandoned
        self._file = os.open(draft, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        draft.replace(self.path)
        self._unsettled: set[UUID] = set()
        self._bytes = 0
        self._lines: list[tuple[UUID, bytes]] = []
        self._written: asyncio.Future[None] | None = None

    async def append(self, call_id: UUID, call: dict[str, Any]) -> None:
        """Keep an answer: the ledger row that it will become. Returns once the kernel has it.

        What arrives in one turn of the loop goes in one write. Raises OSError on a full disk.
        """
        self._lines.append((call_id, dumps(call)))
        if self._written is None:
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            loop.call_soon(self._write)
        await asyncio.shield(self._written)

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        written, self._written = self._written, None
        assert written is not None
        try:
            self._add(b"".join(line + b"\n" for _, line in lines))
        except OSError as exc:
            written.set_exception(exc)
        else:
            self._unsettled.update(call_id for call_id, _ in lines)
            written.set_result(None)

    def _add(self, block: bytes) -> None:
        if os.write(self._file, block) < len(block):
            os.ftruncate(self._file, self._bytes)  # after half a line no other could be read
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._bytes += len(block)

    def settled(self, call_ids: Iterator[UUID]) -> None:
        """These stand in Postgres now."""
        self._unsettled.difference_update(call_ids)
        if not self._unsettled and self._bytes > COMPACT_BYTES:
            os.ftruncate(self._file, 0)
            self._bytes = 0

    def close(self) -> None:
        """Leave; a journal with nothing unsettled leaves no file."""
        if not self._unsettled:
            self.path.unlink(missing_ok=True)
        os.close(self._file)


def abandoned(folder: Path) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """Journals whose process is gone, with their entries. Delete the path once they are settled."""
    for path in sorted(folder.glob("*.jsonl")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # another worker of this host replayed it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue  # its process lives
        try:
            yield path, list(_entries(path))
        finally:
            os.close(descriptor)


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return  # the last line was cut off by the kill: its answer had not fully arrived here
