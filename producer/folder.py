"""A folder that is watched: what is new or changed in it becomes batches, once each.

What was submitted is known by path, size, time of change, SHA-256 and, at an address, ETag of each
file, written into `watched_files` in the transaction that stores its documents. So a watch that is
stopped, or cut off, goes on where it was. Files are only read; nothing is moved or deleted.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from models.database import Connection, ready_connection
from models.errors import InputError
from producer.places import File, NotFetched, Opened, Place, Refused, not_had, opened_file, readable
from producer.sources import Source, documents_in, files_in
from producer.submit import submit

if TYPE_CHECKING:
    import psycopg

    from models.spec import Spec

AT_ONCE = 1_000
"""Files that are looked up in one statement."""

READ_BYTES = 1_048_576


class Fate(StrEnum):
    """What becomes of a file at a look."""

    SAME = "same"
    TOUCHED = "touched"  # another time of change, the same bytes
    TWIN = "twin"  # bytes that were submitted under another name
    NEW = "new"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Known:
    """A file as it was when it was taken."""

    size: int
    changed_ns: int
    sha256: bytes
    etag: str = ""

    def is_untouched(self, file: File) -> bool:
        """Whether nothing speaks for a change, so that its bytes need not be read."""
        if self.etag or file.etag:
            return self.etag == file.etag
        return (self.size, self.changed_ns) == (file.size, file.changed_ns)


@dataclass(slots=True)
class Look:
    """What a look at a folder came to."""

    batch: int | None = None
    documents: int = 0
    fates: dict[Fate, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    young: int = 0
    """Files that were changed a moment ago, and so may not be whole: the next look has them."""

    @property
    def new(self) -> int:
        """Files that were not there before."""
        return self.fates.get(Fate.NEW, 0)

    @property
    def changed(self) -> int:
        """Files with other bytes than before."""
        return self.fates.get(Fate.CHANGED, 0)

    @property
    def twins(self) -> int:
        """Files with the bytes of another one."""
        return self.fates.get(Fate.TWIN, 0)

    def sentence(self) -> str:
        """A line of the log."""
        parts = [
            f"batch {self.batch}: {_counted(self.documents, 'document')}"
            if self.batch
            else "no batch",
            f"{_counted(self.new, 'file')} new, {self.changed} changed",
        ]
        parts += [f"{self.twins} with bytes that were there before"] if self.twins else []
        parts += [f"{self.young} too young"] if self.young else []
        parts += [f"{len(self.refused)} refused"] if self.refused else []
        return "; ".join(parts)


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}{'s' * (number != 1)}"


def judged(known: Known | None, sha256: bytes, *, has_twin: bool) -> Fate:
    """What becomes of a file whose bytes were read."""
    if known is not None and known.sha256 == sha256:
        return Fate.TOUCHED
    if has_twin:
        return Fate.TWIN
    return Fate.NEW if known is None else Fate.CHANGED


def is_young(file: File, now_ns: int, age_s: float) -> bool:
    """Whether somebody may still be writing it. A clock that is ahead is no reason to wait."""
    return 0 <= now_ns - file.changed_ns < age_s * 1e9


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
                stat = found.stat()
                yield File(readable(str(found)), str(found), stat.st_size, stat.st_mtime_ns)

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
                yield Opened(file, content)


@dataclass(slots=True)
class Watched:
    """A place and the name of its watch: with another spec it is another one."""

    place: Place
    watch: str
    file_mb: int
    age_s: float

    def look(self, spec: "Spec") -> Look:
        """Submit what is new or changed, as one batch; none where nothing is.

        Raises InputError where the place cannot be read, or another process watches it, and what
        `submit` raises.
        """
        look = Look()
        try:
            with self.place, ready_connection() as connection, self._alone(connection):
                taking = _Taking(self, look, connection)
                result = submit(spec, taking.sources(), note=taking.note)
                with connection.transaction(), connection.cursor() as cursor:
                    taking.note(cursor, result.batch)
        except NotFetched as exc:
            raise InputError(f"{self.place.name}: {exc}") from exc
        look.batch, look.documents = result.batch, result.documents
        look.refused += result.refused
        return look

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

    def files(self, look: Look) -> Iterator[File]:
        """Those that are old enough. Raises NotFetched where none could be listed; a list that
        breaks off is given as far as it goes."""
        now_ns = time.time_ns()
        found = 0
        try:
            for file in self.place.files():
                found += 1
                if isinstance(file, Refused):
                    if file.category != "not_found":  # a folder may well be empty
                        look.refused.append(file)
                elif is_young(file, now_ns, self.age_s):
                    look.young += 1
                else:
                    yield file
        except NotFetched as exc:
            if not found:
                raise
            name = self.place.name
            look.refused.append(Refused(name, exc.category, f"{name}: the list broke off: {exc}"))


class _Taking:
    """What a look takes, file by file, and what is to be written down of it."""

    def __init__(self, watched: Watched, look: Look, connection: Connection) -> None:
        self._watched, self._look, self._connection = watched, look, connection
        self._before = dict[str, Known]()
        """Files that are on their way, as they were before."""
        self._ended: list[tuple[File, bytes]] = []
        self._taken = set[bytes]()

    def sources(self) -> Iterator[Source]:
        """The documents in every file that is new or changed."""
        for opened in self._watched.place.contents(self._to_read()):
            if isinstance(opened, Refused):
                yield opened
            else:
                yield from self._from_file(opened)

    def _to_read(self) -> Iterator[File]:
        for files in _in_blocks(self._watched.files(self._look)):
            known = self._known(files)
            for file in files:
                before = known.get(file.name)
                if before is not None and before.is_untouched(file):
                    self._count(Fate.SAME)
                    continue
                if before is not None:
                    self._before[file.name] = before
                yield file

    def _from_file(self, opened: Opened) -> Iterator[Source]:
        try:
            yield from self._read(opened)
        except OSError as exc:
            yield not_had(opened.file, NotFetched("unreadable", exc.strerror or str(exc)))

    def _read(self, opened: Opened) -> Iterator[Source]:
        """Raises OSError."""
        file = opened.file
        sha256 = _sha256(opened.content)
        before = self._before.pop(file.name, None)
        fate = judged(before, sha256, has_twin=self._has_twin(sha256))
        if fate in (Fate.NEW, Fate.CHANGED):
            yield from documents_in(opened, self._watched.file_mb)
            self._taken.add(sha256)
        self._count(fate)
        self._ended.append((file, sha256))

    def _count(self, fate: Fate) -> None:
        self._look.fates[fate] = self._look.fates.get(fate, 0) + 1

    def _known(self, files: Sequence[File]) -> Mapping[str, Known]:
        rows = self._connection.execute(
            "SELECT path, size, changed_ns, sha256, etag FROM watched_files "
            "WHERE watch = %s AND path = ANY (%s)",
            (self._watched.watch, [file.name for file in files]),
        )
        return {path: Known(size, at, bytes(digest), e) for path, size, at, digest, e in rows}

    def _has_twin(self, sha256: bytes) -> bool:
        if sha256 in self._taken:
            return True
        row = self._connection.execute(
            "SELECT 1 FROM watched_files WHERE watch = %s AND sha256 = %s LIMIT 1",
            (self._watched.watch, sha256),
        ).fetchone()
        return row is not None

    def note(self, cursor: "psycopg.Cursor[Any]", batch: int | None) -> None:
        """Write down the files whose documents are all stored by now."""
        watch = self._watched.watch
        cursor.executemany(
            "INSERT INTO watched_files (watch, path, size, changed_ns, etag, sha256, batch_id) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (watch, path) DO UPDATE "
            "SET size = excluded.size, changed_ns = excluded.changed_ns, etag = excluded.etag, "
            "sha256 = excluded.sha256, batch_id = excluded.batch_id",
            [
                (watch, file.name, file.size, file.changed_ns, file.etag, digest, batch)
                for file, digest in self._ended
            ],
        )
        self._ended.clear()


def _in_blocks(files: Iterator[File]) -> Iterator[list[File]]:
    while block := list(islice(files, AT_ONCE)):
        yield block


def _sha256(content: IO[bytes]) -> bytes:
    digest = hashlib.sha256()
    while part := content.read(READ_BYTES):
        digest.update(part)
    content.seek(0)
    return digest.digest()
