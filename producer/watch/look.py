"""A folder that is watched: what is new or changed in it becomes batches, once each.

What names hold and which bytes were taken is written down in the transaction that stores their
documents. So a watch that is stopped, or cut off, goes on where it was. Files are only read;
nothing is moved or deleted.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Self

from models.database import Connection, ready_connection
from models.errors import InputError
from models.kinds import READ
from producer.places import (
    File,
    NotFetched,
    Opened,
    Place,
    Refused,
    listed,
    not_had,
    opened_file,
    readable,
)
from producer.sources import files_in
from producer.submit import submit
from producer.watch.fates import Fate, Moment, Rules
from producer.watch.rows import WatchedFiles
from producer.watch.taking import Taking

if TYPE_CHECKING:
    from models.spec import Spec

NS = 1_000_000_000

_ALSO = {
    Fate.TWIN: "with bytes that were there before",
    Fate.REST: "gone on with",
    Fate.AGAIN: "of which parts were refused before",
}


@dataclass(slots=True)
class Look:
    """What a look at a folder came to."""

    batch: int | None = None
    documents: int = 0
    fates: Mapping[Fate, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    young: int = 0
    """Files that may not be whole yet: a later look has them."""
    ended: list[int] = field(default_factory=list)
    """Batches that a look before left when it was cut off, and that are whole now."""

    @property
    def is_news(self) -> bool:
        """Whether anything came of it that is worth a line."""
        return bool(self.ended or self.fates.keys() - {Fate.SAME, Fate.TOUCHED})

    def sentence(self) -> str:
        """A line of the log."""
        parts = [f"batch {each}, which was cut off, ends as it is" for each in self.ended]
        parts += [
            f"batch {self.batch}: {_counted(self.documents, 'document')}"
            if self.batch
            else "no batch",
            f"{_counted(self._of(Fate.NEW), 'file')} new, {self._of(Fate.CHANGED)} changed",
        ]
        parts += [f"{self._of(fate)} {words}" for fate, words in _ALSO.items() if self._of(fate)]
        parts += [f"{self.young} too young"] if self.young else []
        parts += [f"{len(self.refused)} refused"] if self.refused else []
        return "; ".join(parts)

    def _of(self, fate: Fate) -> int:
        return self.fates.get(fate, 0)


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}{'s' * (number != 1)}"


def _stamp(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns


class LocalFolder:
    """A folder of this host, with all that stands below it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = readable(str(path))

    def __enter__(self) -> Self:
        if not self._path.is_dir():
            raise NotFetched("not_found", "no such folder")
        return self

    def __exit__(self, *_: object) -> None: ...

    def files(self) -> Iterator[File | Refused]:
        """By name."""
        for found in files_in(self._path):
            if isinstance(found, Refused):
                yield found
                continue
            with suppress(OSError):  # it went away meanwhile
                yield File(readable(str(found)), str(found), *_stamp(found.stat()))

    def contents(self, found: Iterable[File | Refused]) -> Iterator[Opened | Refused]:
        """As `Place` has it."""
        for file in found:
            if isinstance(file, Refused):
                yield file
                continue
            try:
                content = opened_file(Path(file.key))
            except OSError as exc:
                yield not_had(file, NotFetched("unreadable", exc.strerror or str(exc)))
                continue
            with content:
                if _stamp(os.fstat(content.fileno())) == (file.size, file.changed_ns):
                    yield Opened(file, content)  # else it was written to: a later look has it


@dataclass(slots=True)
class Watched:
    """A place and the name of its watch: with another spec it is another one."""

    place: Place
    watch: str
    file_mb: int
    age_s: float
    before: str = ""
    """Another name that the watch may have had: what stands under it is this one's too."""

    def look(self, spec: "Spec") -> Look:
        """Submit what is new or changed, as one batch; none where nothing is.

        Raises InputError where the place cannot be read, or another process watches it, and what
        `submit` raises.
        """
        look = Look()
        try:
            with self.place, ready_connection() as connection, self._alone(connection):
                rows = WatchedFiles.of(connection, self.watch, self.before or self.watch)
                look.ended = rows.end_left()
                taking = Taking(self.place, rows, self._rules(), self._moment())
                result = submit(spec, taking.sources(self._files(look)), note=taking.note)
                with connection.transaction(), connection.cursor() as cursor:
                    taking.note(cursor, result.batch)
        except NotFetched as exc:
            raise InputError(f"{self.place.name}: {exc}") from exc
        look.batch, look.documents = result.batch, result.documents
        look.fates, look.young = taking.fates, taking.young
        look.refused += result.refused
        return look

    def _rules(self) -> Rules:
        """A later Docmill may read more formats."""
        formats = hashlib.sha256(" ".join(sorted(READ)).encode()).hexdigest()[:12]
        return Rules(self.file_mb, f"formats {formats} of docmill {version('docmill')}")

    def _moment(self) -> Moment:
        return Moment(time.time_ns(), int(self.age_s * NS))

    @contextmanager
    def _alone(self, connection: Connection) -> Iterator[None]:
        """Two that watch the same would submit the same."""
        lock = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS got"
        row = connection.execute(lock, (self.watch,)).fetchone()
        if row is None or not row[0]:
            raise InputError(f"{self.place.name}: another docmill watches it at this moment")
        try:
            yield
        finally:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (self.watch,))

    def _files(self, look: Look) -> Iterator[File]:
        """Those that are there, as far as the list goes. Raises NotFetched where none begins."""
        for found in listed(self.place):
            if not isinstance(found, Refused):
                yield found
            elif found.category != "not_found":  # a folder may well be empty
                look.refused.append(found)
