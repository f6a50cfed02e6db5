"""The journal: every answer is on this machine's disk before anything else is done with it.

A process's journal is a row of segments: `<id>-000001.jsonl` and so on, each held by a lock that
the kernel drops when the process dies, however it dies. A segment goes as soon as all of it stands
in Postgres. What it still holds ten seconds after its first answer is left to the replay
(`worker/calls/replay.py`), as if the process had died: its turn takes long, or was refused. So no
answer keeps a segment for ever.

The text of a settled answer is on this disk for ten seconds and one look of the replay at most, and
not at all while nothing is under way. An outage of Postgres keeps it longer, and what Postgres
refuses is kept aside until a person sees to it.

Lines go to the kernel at once but are not fsynced: they survive a killed process and a Postgres
outage, not a power cut.
"""

import asyncio
import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

from models.errors import ConfigError
from worker.jsonb import dumps

SEGMENT_BYTES = 4 * 2**20
SEGMENT_S = 5.0
"""A segment that is so large, or whose first answer is so old, takes no more."""

LATE_S = 10.0
"""What is not settled so long after the first answer of its segment is left to the replay: where a
turn came to nothing, about the time that its lease runs out and its job would ask again."""


class _Segment:
    """One file of a journal, locked for as long as it is held."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = 0
        self.unsettled: set[UUID] = set()
        self.began = 0.0
        """When its first answer came, on the loop's clock."""
        self.late: asyncio.TimerHandle | None = None
        draft = path.with_suffix(".new")  # not yet locked, it would look abandoned
        self._file = os.open(draft, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            draft.replace(path)
        except BaseException:
            os.close(self._file)
            raise

    def is_full(self, now: float) -> bool:
        return self.size >= SEGMENT_BYTES or (self.size > 0 and now >= self.began + SEGMENT_S)

    def add(self, block: bytes) -> None:
        if os.write(self._file, block) < len(block):
            os.ftruncate(self._file, self.size)  # half a line would spoil the next
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self.size += len(block)

    def empty(self) -> None:
        os.ftruncate(self._file, 0)
        self.size = 0

    def leave(self) -> None:
        """The file stays, for whoever replays it."""
        os.close(self._file)

    def remove(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        finally:
            os.close(self._file)

    def no_longer_late(self) -> None:
        if self.late is not None:
            self.late.cancel()
            self.late = None


class Journal:
    """This process's journal. Raises ConfigError where it cannot be kept."""

    def __init__(self, folder: Path) -> None:
        name = uuid4().hex
        self._paths = (folder / f"{name}-{number:06}.jsonl" for number in count(1))
        self._home: dict[UUID, _Segment] = {}
        """Where the answers stand that are not settled."""
        self._lines: list[tuple[UUID, bytes]] = []
        self._written: asyncio.Future[None] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._open: _Segment | None = _Segment(next(self._paths))
        except OSError as exc:
            raise ConfigError(
                f"cannot keep a journal in {folder}: {exc.strerror}. "
                "Let this user write there, or set DOCMILL_HOME to another folder."
            ) from exc

    async def append(self, call_id: UUID, call: object) -> None:
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
        now = asyncio.get_running_loop().time()
        try:
            if self._open is None or self._open.is_full(now):
                self._open = _Segment(next(self._paths))
            self._open.add(b"".join(line + b"\n" for _, line in lines))
        except OSError as exc:
            written.set_exception(exc)
        else:
            self._keep(self._open, [call_id for call_id, _ in lines], now)
            written.set_result(None)

    def _keep(self, segment: _Segment, call_ids: Sequence[UUID], now: float) -> None:
        segment.unsettled.update(call_ids)
        self._home.update(dict.fromkeys(call_ids, segment))
        if segment.late is None:
            loop = asyncio.get_running_loop()
            segment.began = now
            segment.late = loop.call_at(now + LATE_S, self._hand_over, segment)

    def settled(self, call_ids: Iterator[UUID]) -> None:
        """These stand in Postgres now."""
        for call_id in call_ids:
            segment = self._home.pop(call_id, None)
            if segment is None:
                continue
            segment.unsettled.discard(call_id)
            if not segment.unsettled:
                self._done(segment)

    def _done(self, segment: _Segment) -> None:
        segment.no_longer_late()
        with suppress(OSError):  # what stays on a failing disk is replayed, which does no harm
            if segment is self._open:
                segment.empty()
            else:
                segment.remove()

    def _hand_over(self, segment: _Segment) -> None:
        for call_id in segment.unsettled:
            self._home.pop(call_id, None)
        if segment is self._open:
            self._open = None
        segment.leave()

    def close(self) -> None:
        """Leave; a journal with nothing unsettled leaves no file."""
        held = {*self._home.values(), *([self._open] if self._open else [])}
        for segment in held:
            segment.no_longer_late()
            if segment.unsettled:
                segment.leave()
            else:
                segment.remove()
        self._home.clear()
        self._open = None
