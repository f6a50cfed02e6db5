"""What archives, compressed files and mailboxes hold, one member at a time, within bounds.

A member is in memory while it is looked at, its neighbours are not. Nothing is written to disk, so
that a member's name leads nowhere.
"""

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from models.kinds import BZIP2, GZIP, MBOX, TAR, XZ, ZIP

MEBIBYTE = 1_048_576

MOST_DEPTH = 3
"""Archives in archives."""

MOST_MEMBERS = 100_000
MOST_BYTES = 16 * 1024 * MEBIBYTE
"""Of all members together."""

MOST_RATIO = 200
"""A member may be so many times larger than it lies in its archive. Text gets to 20, logs to 100, a
bomb to 1,000 (the most that deflate can)."""

SMALL = 10 * MEBIBYTE
"""Up to here any ratio is harmless."""

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX/)")
_MBOX_FROM = re.compile(rb"From [^\n]*\d\d:\d\d")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive. `name` is its path there."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Left:
    """A member that is left out, or the rest of an archive where `name` is ""."""

    name: str
    category: str
    why: str


class Budget:
    """What may still be taken out of one file and the archives in it."""

    def __init__(
        self, member_bytes: int, members: int = MOST_MEMBERS, total: int = MOST_BYTES
    ) -> None:
        self.member_bytes = member_bytes
        self._members, self._bytes = members, total

    def take(self, size: int) -> None:
        """Count one more member. Raises TooMuch."""
        self._members -= 1
        self._bytes -= size
        if self._members < 0 or self._bytes < 0:
            raise TooMuch("holds more files, or larger ones, than an archive may")


class TooMuch(Exception):
    """The archive holds more than it may: nothing more of it is looked at."""


def members(file: BinaryIO, media_type: str, name: str, budget: Budget) -> Iterator[Member | Left]:
    """The files in an archive, in its order, but hidden ones; what is left out, with why.

    `media_type` is ZIP, TAR, GZIP, BZIP2, XZ or MBOX, `name` that of the file. Categories:
    damaged, encrypted, too_large, archive_bomb, not_entered (a link).
    """
    file.seek(0)
    try:
        yield from _WALKS[media_type](file, name, budget)
    except TooMuch as exc:
        yield Left("", "archive_bomb", str(exc))
    except _BROKEN as exc:
        yield Left("", "damaged", f"is damaged ({type(exc).__name__}: {exc})"[:300])


def _zip(file: BinaryIO, _: str, budget: Budget) -> Iterator[Member | Left]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir() or _HIDDEN.search(info.filename):
                continue
            yield _unzipped(archive, info, budget)


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Member | Left:
    if stat.S_ISLNK(info.external_attr >> 16):  # what it holds is where it leads
        return _link(info.filename)
    if info.flag_bits & 1:
        return Left(info.filename, "encrypted", "is locked with a password: unpack it first")
    if info.file_size > budget.member_bytes:
        return _too_large(info.filename, budget)
    if info.file_size > SMALL and info.file_size > MOST_RATIO * info.compress_size:
        return Left(info.filename, "archive_bomb", f"grows more than {MOST_RATIO} times")
    budget.take(info.file_size)
    try:
        return Member(info.filename, archive.read(info))  # no more than the size that it names
    except _BROKEN as exc:
        return Left(info.filename, "damaged", f"is damaged ({exc})"[:300])


def _tar(file: IO[bytes], _: str, budget: Budget) -> Iterator[Member | Left]:
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for info in archive:
            name = info.name.removeprefix("./")
            if info.isdir() or _HIDDEN.search(name):
                continue
            if not info.isfile():
                yield _link(name) if info.islnk() or info.issym() else _no_file(name)
                continue
            if info.size > budget.member_bytes:
                yield _too_large(name, budget)
                continue
            budget.take(info.size)
            content = archive.extractfile(info)
            if content is not None:
                yield Member(name, content.read(info.size))


def _packed(
    opened: Callable[[BinaryIO], IO[bytes]],
) -> Callable[[BinaryIO, str, Budget], Iterator[Member | Left]]:
    """How a file that is compressed as a whole is walked: as a TAR, or as the one file it is."""

    def walk(file: BinaryIO, name: str, budget: Budget) -> Iterator[Member | Left]:
        with opened(file) as unpacked:
            buffered = growing(unpacked, file)
            if buffered.peek(512)[257:262] == b"ustar":
                yield from _tar(buffered, name, budget)
                return
            data = buffered.read(budget.member_bytes + 1)
            inner = re.sub(r"\.(gz|bz2|xz)$", "", name.rpartition("/")[2], flags=re.IGNORECASE)
            if len(data) > budget.member_bytes:
                yield _too_large(inner, budget)
                return
            budget.take(len(data))
            yield Member(inner, data)

    return walk


def growing(unpacked: IO[bytes], packed: BinaryIO) -> io.BufferedReader:
    """What a compressed file unpacks to, as it is read. Reading raises TooMuch for a bomb."""
    return io.BufferedReader(_Growing(unpacked, _size(packed)), 65_536)


class _Growing(io.RawIOBase):
    """What a compressed file unpacks to, as long as it does not grow like a bomb."""

    def __init__(self, source: IO[bytes], packed: int) -> None:
        self._source, self._most = source, max(SMALL, MOST_RATIO * packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        self._most -= len(data)
        if self._most < 0:
            raise TooMuch(f"grows more than {MOST_RATIO} times")
        buffer[: len(data)] = data
        return len(data)


def _size(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _mbox(file: BinaryIO, _: str, budget: Budget) -> Iterator[Member | Left]:
    """Mails by number, from 1. A line that begins with "From " was quoted by whoever wrote it."""
    mail, size, number, blank = list[bytes](), 0, 0, True
    for line in iter(lambda: file.readline(MEBIBYTE), b""):
        if blank and _MBOX_FROM.match(line):
            if number:
                yield _mail(number, mail, size, budget)
            mail, size, number = [], 0, number + 1
        elif size <= budget.member_bytes:
            mail.append(line)
            size += len(line)
        blank = not line.strip()
    yield _mail(number, mail, size, budget)


def _mail(number: int, mail: list[bytes], size: int, budget: Budget) -> Member | Left:
    if size > budget.member_bytes:
        return _too_large(f"{number}.eml", budget)
    budget.take(size)
    return Member(f"{number}.eml", _QUOTED_FROM.sub(rb"\1", b"".join(mail)))


def _too_large(name: str, budget: Budget) -> Left:
    megabytes = budget.member_bytes // MEBIBYTE
    return Left(name, "too_large", f"is larger than {megabytes} MB; raise limits.file_mb")


def _link(name: str) -> Left:
    return Left(name, "not_entered", "is a link, which was not followed")


def _no_file(name: str) -> Left:
    return Left(name, "not_entered", "is a device or a pipe, and no file")


_WALKS: Mapping[str, Callable[[BinaryIO, str, Budget], Iterator[Member | Left]]] = {
    ZIP: _zip,
    TAR: _tar,
    GZIP: _packed(lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb"))),
    BZIP2: _packed(lambda file: cast(IO[bytes], bz2.BZ2File(file))),
    XZ: _packed(lambda file: cast(IO[bytes], lzma.LZMAFile(file))),  # noqa: SIM115 - the walk closes it
    MBOX: _mbox,
}
