"""What a look takes of a watched place, file by file, and what is to be written down of it."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from producer.places import File, NotFetched, Opened, Place, Refused, not_had
from producer.sources import Source, documents_in
from producer.watch.fates import (
    Fate,
    Held,
    Moment,
    Refusal,
    Rules,
    Step,
    Taken,
    after,
    judged,
    seen,
    stamp_of,
    step,
    within,
)
from producer.watch.rows import WatchedFiles

if TYPE_CHECKING:
    import psycopg

AT_ONCE = 1_000
"""Files that are looked up in one statement."""

READ_BYTES = 1_048_576


@dataclass(slots=True)
class Taking:
    """One look's. `fates` and `young` say how many files came to what."""

    place: Place
    rows: WatchedFiles
    rules: Rules
    moment: Moment
    fates: Counter[Fate] = field(default_factory=Counter)
    young: int = 0
    _before: dict[str, Held] = field(default_factory=dict)
    """Files that are on their way, as they were before."""
    _holds: list[tuple[str, Held]] = field(default_factory=list)
    """Files that were read to their end since the last note."""
    _taken: dict[bytes, Taken] = field(default_factory=dict)
    """Bytes that became documents since the last note."""
    _reading: "_Reading | None" = None

    def sources(self, files: Iterator[File]) -> Iterator[Source]:
        """The documents in every file of these that is new or changed."""
        for opened in self.place.contents(self._to_read(files)):
            if isinstance(opened, Refused):
                yield opened
            else:
                yield from self._from_file(opened)

    def note(self, cursor: "psycopg.Cursor[Any]", batch: int | None) -> None:
        """Write down what was taken: all documents that were given out are stored by now."""
        if self._reading is not None:
            self._put_down(self._reading, is_whole=False)
        self.rows.take(cursor, self._taken, batch)
        self.rows.hold(cursor, self._holds)
        self._taken.clear()
        self._holds.clear()

    def _to_read(self, files: Iterator[File]) -> Iterator[File]:
        while block := list(islice(files, AT_ONCE)):
            held = self.rows.held([file.name for file in block])
            looks: list[tuple[str, Held]] = []
            for file in block:
                before, stamp = held.get(file.name), stamp_of(file)
                match step(before, stamp, self.moment, self.rules):
                    case Step.SAME:
                        self.fates[Fate.SAME] += 1
                    case Step.WAIT:
                        self.young += 1
                    case Step.NOTE:
                        self.young += 1
                        looks.append((file.name, seen(before, stamp, time.time_ns())))
                    case Step.READ:
                        if before is not None:
                            self._before[file.name] = before
                        yield file
            self._remember(looks)

    def _remember(self, looks: list[tuple[str, Held]]) -> None:
        """Write down what names hold, beside any batch."""
        if looks:
            with self.rows.connection.cursor() as cursor:
                self.rows.hold(cursor, looks)

    def _from_file(self, opened: Opened) -> Iterator[Source]:
        before = self._before.pop(opened.file.name, None)
        try:
            reading = self._begun(opened, before)
            self._reading = reading
            yield from reading.wanted(_documents(opened, self.rules.file_mb))
            self._put_down(reading, is_whole=True)
        except OSError as exc:
            if self._reading is not None:
                self._put_down(self._reading, is_whole=False)
            yield not_had(opened.file, NotFetched("unreadable", exc.strerror or str(exc)))
        finally:
            self._reading = None

    def _begun(self, opened: Opened, before: Held | None) -> "_Reading":
        """Raises OSError."""
        sha256 = _sha256(opened.content)
        taken = self._taken.get(sha256) or self.rows.taken(sha256)
        fate = judged(before, sha256, taken, self.rules)
        self.fates[fate] += 1
        return _Reading(opened.file, sha256, fate, self.rules, before, taken)

    def _put_down(self, reading: "_Reading", *, is_whole: bool) -> None:
        if reading.is_taken:
            self._taken[reading.sha256] = Taken() if is_whole else reading.progress()
        if is_whole or reading.fate is Fate.AGAIN:
            self._holds.append((reading.file.name, reading.held(time.time_ns(), is_whole)))
        if len(self._holds) >= AT_ONCE and not self._taken:  # none of them waits for documents
            self._remember(self._holds)
            self._holds.clear()


@dataclass(slots=True)
class _Reading:
    """A file whose documents are on their way."""

    file: File
    sha256: bytes
    fate: Fate
    rules: Rules
    before: Held | None
    taken: Taken | None
    walked: int = 0
    """How much of what it holds was seen."""
    refused: list[Refused] = field(default_factory=list)
    is_taken: bool = False
    """Whether a document came of it."""

    def wanted(self, sources: Iterable[Source]) -> Iterator[Source]:
        """What of its documents is to be submitted."""
        for source in self._chosen(self._walked(sources)):
            self._see(source)
            yield source

    def _chosen(self, sources: Iterable[Source]) -> Iterable[Source]:
        match self.fate:
            case Fate.NEW | Fate.CHANGED:
                return sources
            case Fate.REST:
                self.is_taken = True
                return after(self._begun_at, sources)
            case Fate.AGAIN:
                left = after(self._begun_at, sources)
                return within(self.rules.lifted(self._before_refused), self.file.name, left)
        return ()

    def _walked(self, sources: Iterable[Source]) -> Iterator[Source]:
        for source in sources:
            self.walked += 1
            yield source

    def _see(self, source: Source) -> None:
        if isinstance(source, Refused):
            self.refused.append(source)
        else:
            self.is_taken = True

    def progress(self) -> Taken:
        """How far its bytes have come."""
        return Taken(max(self.walked, self._begun_at))

    def held(self, now_ns: int, is_whole: bool) -> Held:
        """What its name holds."""
        looked = seen(self.before, stamp_of(self.file), now_ns)
        is_part = self.is_taken or self.fate is Fate.AGAIN
        refused = self.rules.refusals(self.file.name, self.refused, is_part=is_part)
        refused += self._left(is_whole)
        return Held(looked.stamp, looked.since_ns, False, self.sha256, refused)

    def _left(self, is_whole: bool) -> tuple[Refusal, ...]:
        """What was refused before, and still is."""
        if self.fate not in (Fate.AGAIN, Fate.TOUCHED):
            return ()
        if not is_whole:  # a later look goes on where this one was
            return self._before_refused
        gone = self.rules.lifted(self._before_refused)
        return tuple(each for each in self._before_refused if each not in gone)

    @property
    def _before_refused(self) -> tuple[Refusal, ...]:
        return self.before.refused if self.before is not None else ()

    @property
    def _begun_at(self) -> int:
        return (self.taken.walked or 0) if self.taken is not None else 0


def _documents(opened: Opened, file_mb: int) -> Iterator[Source]:
    """Raises OSError, whatever a damaged file makes its reader raise: none may stop a watch."""
    try:
        yield from documents_in(opened, file_mb)
    except OSError:
        raise
    except Exception as exc:
        raise OSError(f"{type(exc).__name__}: {exc}") from exc


def _sha256(content: IO[bytes]) -> bytes:
    digest = hashlib.sha256()
    while part := content.read(READ_BYTES):
        digest.update(part)
    content.seek(0)
    return digest.digest()
