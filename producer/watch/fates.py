"""What becomes of a file in a watched place: when it is read, and what of its bytes is submitted.

Which bytes were taken is one thing, what a name holds now another: names move, bytes are copied.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from producer.places import File, Refused, readable
from producer.sources import Source

MOST_NS = 2**63 - 1
"""Postgres has no larger times and sizes; the year 2262."""

MOST_REFUSED = 1_000
"""Of an archive: so much of what was refused in it is tried again under another limit."""


class Step(StrEnum):
    """What a look does about a file that it finds."""

    SAME = "same"  # it was read as it looks
    READ = "read"
    WAIT = "wait"  # somebody may still be writing it
    NOTE = "note"  # the same; how it looks is written down, for a later look to compare


class Fate(StrEnum):
    """What becomes of a file at a look."""

    SAME = "same"
    TOUCHED = "touched"  # read again, the same bytes
    TWIN = "twin"  # bytes that were submitted under another name, or earlier
    NEW = "new"
    CHANGED = "changed"
    AGAIN = "again"  # what was refused in it is tried under another limit
    REST = "rest"  # a look before was cut off in the midst of it


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a file looks from outside. `size` in bytes and `changed_ns` are 0 where unknown."""

    size: int
    changed_ns: int
    etag: str = ""

    def says_same(self, other: "Stamp") -> bool:
        """Whether both stand for the same bytes, which need not be read. What is unknown says
        nothing."""
        if self.etag or other.etag:
            return self.etag == other.etag
        return self == other and self.size != 0 and self.changed_ns != 0


def stamp_of(file: File) -> Stamp:
    """How a file looks, in values that Postgres can hold whatever a disk or a server says."""
    return Stamp(_bounded(file.size), _bounded(file.changed_ns), readable(file.etag))


def _bounded(number: int) -> int:
    return max(-MOST_NS, min(number, MOST_NS))


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused by more than its bytes: `inner` is the rest of its name after the file's,
    "" for the file itself; `by` is what refused it."""

    inner: str
    by: str

    def covers(self, inner: str) -> bool:
        """Whether something is what was refused, or lies in it."""
        return inner == self.inner or inner.startswith(f"{self.inner}/")


@dataclass(frozen=True, slots=True)
class Rules:
    """What refuses files, besides their bytes."""

    file_mb: int
    formats: str
    """Which formats are read."""

    def behind(self, category: str) -> str | None:
        """What is behind a refusal and can change; None: the bytes alone."""
        match category:
            case "too_large":
                return f"limits.file_mb = {self.file_mb}"
            case "unsupported_type":
                return self.formats
        return None

    def refusals(
        self, name: str, refused: Iterable[Refused], *, is_part: bool
    ) -> tuple[Refusal, ...]:
        """Those of a file that another limit may end. Where nothing came of the file it is all of
        it that was refused."""
        found = ((each.path, self.behind(each.category)) for each in refused)
        kept = (
            Refusal(path.removeprefix(name) if is_part else "", by)
            for path, by in found
            if by is not None
        )
        return tuple(islice(dict.fromkeys(kept), MOST_REFUSED))

    def lifted(self, refusals: Iterable[Refusal]) -> tuple[Refusal, ...]:
        """Refusals by something that says otherwise now."""
        in_force = {self.behind("too_large"), self.behind("unsupported_type")}
        return tuple(refusal for refusal in refusals if refusal.by not in in_force)


@dataclass(frozen=True, slots=True)
class Held:
    """What a name held when it was last looked at."""

    stamp: Stamp
    since_ns: int
    """When it was first seen with this stamp, by our clock."""
    waits: bool = False
    """Whether it was not read with this stamp."""
    sha256: bytes | None = None
    """Of the bytes that were read last."""
    refused: tuple[Refusal, ...] = ()


def seen(held: Held | None, stamp: Stamp, now_ns: int) -> Held:
    """What is known of a name that looks so, before its bytes are read."""
    if held is None:
        return Held(stamp, now_ns, True)
    since_ns = held.since_ns if held.stamp == stamp else now_ns
    return replace(held, stamp=stamp, since_ns=since_ns, waits=True)


@dataclass(frozen=True, slots=True)
class Taken:
    """Bytes that became documents. `walked`: how many of what they hold was stored or refused when
    the look was cut off; None: all."""

    walked: int | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """When a look began, by our clock, and the age at which a file is whole."""

    now_ns: int
    age_ns: int

    def is_past(self, at_ns: int) -> bool:
        """Whether it is at least the age ago."""
        return at_ns <= self.now_ns - self.age_ns


def step(held: Held | None, stamp: Stamp, moment: Moment, rules: Rules) -> Step:
    """What to do about a file.

    A file is whole when it is older than the age, or looked the same at two looks that are the age
    apart. Its own time is another clock's: one to come says nothing, and neither does none. What
    is named by its server and has no time is whole: a mail is.
    """
    if held is not None and not held.waits and stamp.says_same(held.stamp):
        return Step.READ if rules.lifted(held.refused) else Step.SAME
    if moment.age_ns == 0 or _is_whole(stamp, moment):
        return Step.READ
    if 0 != stamp.changed_ns <= moment.now_ns:
        return Step.WAIT  # its time comes
    if held is None or held.stamp != stamp or held.since_ns > moment.now_ns:
        return Step.NOTE
    return Step.READ if moment.is_past(held.since_ns) else Step.WAIT


def _is_whole(stamp: Stamp, moment: Moment) -> bool:
    if stamp.changed_ns == 0:
        return stamp.etag != ""
    return moment.is_past(stamp.changed_ns)


def judged(held: Held | None, sha256: bytes, taken: Taken | None, rules: Rules) -> Fate:
    """What becomes of a file whose bytes were read."""
    is_cut_off = taken is not None and taken.walked is not None
    if held is not None and held.sha256 == sha256 and (held.refused or not is_cut_off):
        return _fate_of_known(rules.lifted(held.refused), taken)
    if is_cut_off:
        return Fate.REST
    if taken is not None:
        return Fate.TWIN
    return Fate.NEW if held is None or held.sha256 is None else Fate.CHANGED


def _fate_of_known(lifted: Sequence[Refusal], taken: Taken | None) -> Fate:
    """What becomes of bytes that this name held before, of which this need not be refused any
    more."""
    if not lifted:
        return Fate.TOUCHED
    if taken is None:
        return Fate.NEW
    if any(refusal.inner for refusal in lifted):
        return Fate.AGAIN
    # all of it was refused: it came of another name, or a look was cut off in the midst of it
    return Fate.TWIN if taken.walked is None else Fate.REST


def after(walked: int, sources: Iterable[Source]) -> Iterator[Source]:
    """What of a file is left to store, where so much of it was walked. What was refused in it is
    told again: who was cut off may have told nothing."""
    for number, source in enumerate(sources):
        if number >= walked or isinstance(source, Refused):
            yield source


def within(refusals: Sequence[Refusal], name: str, sources: Iterable[Source]) -> Iterator[Source]:
    """What of a file was refused before."""
    for source in sources:
        inner = source.path.removeprefix(name)
        if any(refusal.covers(inner) for refusal in refusals):
            yield source
