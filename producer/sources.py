"""What the user points at, made into documents: files, folders, globs, archives, JSONL, stdin.

What cannot be used is refused with its reason, and the rest goes on. Archives and mailboxes are
opened here, within bounds, since each file in them is a document. Documents are only looked at,
never parsed: that is the worker's job, in a process that may die of it.
"""

import glob
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from models.archives import MEBIBYTE, MOST_DEPTH, Budget, Left, TooMuch, growing, members
from models.kinds import GZIP, HOLDING, JSONL, PLAIN, READ, kind_of
from producer.lines import lines_within
from producer.places import (
    BROKE_OFF,
    NotFetched,
    Opened,
    Refused,
    listed,
    opened_file,
    readable,
)

if TYPE_CHECKING:
    from producer.remote.access import Access


@dataclass(frozen=True, slots=True)
class Accepted:
    """A document to submit."""

    path: str
    media_type: str
    data: bytes


Source = Accepted | Refused


def gather(
    paths: Sequence[str], stdin: BinaryIO, file_mb: int, remote: "Access | None" = None
) -> Iterator[Source]:
    """Every document behind the given paths, in a stable order, each file once. `remote`: how
    addresses are fetched; None: as by default, without a password.

    Categories of refusals: not_found, not_entered (folders and links), empty, too_large,
    unsupported_type, unreadable, bad_line; of addresses not_fetched, not_allowed, private_address,
    unsupported_source and broke_off: that is the last then, for what follows has to follow it.
    """
    seen = _Names(FILE_BYTES)
    for path in paths:
        if path == "-":
            yield from _from_stdin(stdin, file_mb)
            continue
        if is_address(path):
            for source in _from_address(path, file_mb, remote):
                yield source
                if isinstance(source, Refused) and source.category == BROKE_OFF:
                    return
            continue
        for found in _files(path):
            if isinstance(found, Refused):
                yield found
            elif seen.take(str(found.resolve())):
                yield from _from_file(found, file_mb)


def _files(path: str) -> Iterator[Path | Refused]:
    """The files that a path stands for. A name with brackets that exists is a name, not a glob."""
    given = Path(path)
    try:
        if given.is_dir():
            yield from files_in(given)
            return
        matches = [path] if given.exists() else sorted(glob.glob(path, recursive=True))
    except (OSError, ValueError):
        matches = []  # too long a name, or a NUL in it: no such file
    if not matches:
        yield _refused(given, "not_found", "no such file or folder")
    for match in map(Path, matches):
        if match.is_dir():
            yield from files_in(match)
        else:
            yield match


def files_in(folder: Path) -> Iterator[Path | Refused]:
    """Every file below a folder but hidden ones, by name; and what is not entered, with why."""
    empty = True
    levels: list[Iterator[Path]] = [iter([folder])]
    while levels:
        path = next(levels[-1], None)
        if path is None:
            levels.pop()
            continue
        try:
            if path is not folder and path.is_symlink() and not path.is_file():
                there = "a folder" if path.is_dir() else "nothing that can be read"
                yield _refused(path, "not_entered", f"this link to {there} was not followed")
            elif path.is_dir():
                shown = (name for name in os.listdir(path) if not name.startswith("."))
                levels.append(map(path.joinpath, sorted(shown)))
                continue
            else:
                yield path
        except OSError as exc:
            yield _refused(path, "not_entered", f"it was not entered: {exc.strerror or exc}")
        empty = False
    if empty:
        yield _refused(folder, "not_found", "no file in this folder")


def _refused(path: Path, category: str, why: str) -> Refused:
    name = readable(str(path))
    return Refused(name, category, f"{name}: {why}")


def _from_file(file: Path, file_mb: int) -> Iterator[Source]:
    name = readable(str(file))
    try:
        with opened_file(file) as stream:
            yield from _Opened(file_mb).sources(name, stream)
    except OSError as exc:
        yield Refused(name, "unreadable", f"{name}: {exc.strerror or exc}")


_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_address(path: str) -> bool:
    """Whether a path begins as addresses do."""
    return _ADDRESS.match(path) is not None


def _from_address(address: str, file_mb: int, access: "Access | None") -> Iterator[Source]:
    # what most commands do without, and longer to load than they take
    from models.config import SourcesConfig
    from producer.remote.access import Access
    from producer.remote.place import place_at, shown

    try:
        with place_at(address, access or Access(SourcesConfig())) as place:
            for opened in place.contents(listed(place)):
                yield from documents_in(opened, file_mb)
    except NotFetched as exc:
        name = shown(address)
        yield Refused(name, exc.category, f"{name}: {exc}")


def documents_in(opened: Opened | Refused, file_mb: int) -> Iterator[Source]:
    """The documents in a file of a place."""
    if isinstance(opened, Refused):
        yield opened
    else:
        yield from _Opened(file_mb).sources(opened.file.name, cast(BinaryIO, opened.content))


def _from_stdin(stdin: BinaryIO, file_mb: int) -> Iterator[Source]:
    most = file_mb * MEBIBYTE
    head = list[bytes]()
    for line in lines_within(stdin, most):
        head.append(line)
        if line.strip():
            break
    if head and _is_jsonl(head[-1]):
        yield from _from_lines("-", chain(head, lines_within(stdin, most)), file_mb)
        return
    data = b"".join(head)
    data += stdin.read(max(0, most + 1 - len(data)))
    yield from _Opened(file_mb).sources("-", BytesIO(data))


class _Opened:
    """A file and whatever it holds, as deep as archives may stand in archives."""

    def __init__(self, file_mb: int) -> None:
        self._file_mb = file_mb
        self._budget = Budget(file_mb * MEBIBYTE)

    def sources(self, name: str, file: BinaryIO, depth: int = 0) -> Iterator[Source]:
        """The documents in a file. Archives are walked, JSON lines read one by one, others taken
        whole."""
        kind = kind_of(_called(name), file)
        file.seek(0)
        if kind == JSONL:
            lines = lines_within(file, self._budget.member_bytes)
            yield from _from_lines(name, lines, self._file_mb)
        elif kind == GZIP and _called(name).lower().endswith((".jsonl.gz", ".ndjson.gz")):
            yield from self._packed_lines(name, file)
        elif kind in HOLDING and depth < MOST_DEPTH:
            yield from self._inside(name, file, kind, depth)
        else:
            yield self._document(name, kind, file)

    def _packed_lines(self, name: str, file: BinaryIO) -> Iterator[Source]:
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as packed:
                unpacked = growing(cast(IO[bytes], packed), file)
                lines = lines_within(unpacked, self._budget.member_bytes)
                yield from _from_lines(name, lines, self._file_mb)
        except TooMuch as exc:
            yield Refused(name, "archive_bomb", f"{name} {exc}")
        except (OSError, EOFError, zlib.error) as exc:
            yield Refused(name, "damaged", f"{name} is damaged ({exc})")

    def _inside(self, name: str, file: BinaryIO, kind: str, depth: int) -> Iterator[Source]:
        empty = True
        for member in members(file, kind, _called(name), self._budget):
            empty = False
            inner = readable(f"{name}/{member.name}".rstrip("/"))
            if isinstance(member, Left):
                yield Refused(inner, member.category, f"{inner} {member.why}")
            else:
                yield from self.sources(inner, BytesIO(member.data), depth + 1)
        if empty:
            yield _empty(name)

    def _document(self, name: str, kind: str | None, file: BinaryIO) -> Source:
        data = file.read(self._file_mb * MEBIBYTE + 1)
        if len(data) > self._file_mb * MEBIBYTE:
            return _too_large(name, self._file_mb)
        if not data.strip():
            return _empty(name)
        if kind in HOLDING:
            return Refused(name, "unsupported_type", f"{name}: too many archives within archives")
        if kind not in READ:
            message = f"{name}: of a kind that is not read; `docmill formats` lists those that are"
            return Refused(name, "unsupported_type", message)
        return Accepted(name, kind, data)


def _called(name: str) -> str:
    """How a file is called: without the hash that stands for the query of its address."""
    return re.sub(r"\?[0-9a-f]{8}$", "", name)


def _is_jsonl(line: bytes) -> bool:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "text" in value


def _from_lines(path: str, lines: Iterable[bytes], file_mb: int) -> Iterator[Source]:
    """One document a line: {"text": ..., "id": ...}; without an id the line number names it."""
    names = _Names(LINE_BYTES)
    found = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found = True
        if len(line) > file_mb * MEBIBYTE:
            yield _too_large(f"{path}:{number}", file_mb)
            continue
        try:
            yield _from_line(path, number, json.loads(line), names)
        except (ValueError, RecursionError) as exc:
            yield Refused(
                f"{path}:{number}", "bad_line", f"{path}, line {number}: not JSON ({exc})"
            )
    if not found:
        yield _empty(path)


LINE_BYTES, FILE_BYTES = 8, 16
"""What is kept of the name of each line, and of the path of each file."""


class _Names:
    """The names that were taken so far, as a hash of so many bytes each: there may be ten million.
    Of 8 bytes, two of a million are taken for one once in 40 million files; of 16 never."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tails: dict[bytes, bytearray] = {}

    def take(self, name: str) -> bool:
        """Whether it was still free; it is taken from now on."""
        digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=self._size).digest()
        tail, tails = digest[2:], self._tails.setdefault(digest[:2], bytearray())
        at = tails.find(tail)
        while at % len(tail) and at >= 0:  # it only looks like one, across the end of another
            at = tails.find(tail, at + 1)
        if at < 0:
            tails += tail
        return at < 0


def _from_line(path: str, number: int, value: object, names: _Names) -> Source:
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(text, str):
        message = f'{path}, line {number}: needs an object with a string "text"'
        return Refused(f"{path}:{number}", "bad_line", message)
    name = _name(path, number, value.get("id"))
    if not names.take(name):  # the id of another line, or its number
        name = f"{name} (line {number})"
        names.take(name)
    data = text.encode("utf-8", "replace")
    return Accepted(name, PLAIN, data) if data.strip() else _empty(name)


def _name(path: str, number: int, given: object) -> str:
    """Only words and numbers name a line: null, a list or an empty string name nothing."""
    is_name = isinstance(given, str | int | float) and not isinstance(given, bool)
    words = readable(str(given)).strip() if is_name else ""
    return f"{path}#{words or number}"


def _empty(path: str) -> Refused:
    return Refused(path, "empty", f"{path}: empty")


def _too_large(path: str, file_mb: int) -> Refused:
    message = f"{path}: larger than {file_mb} MB; raise limits.file_mb in docmill.toml or split it"
    return Refused(path, "too_large", message)
