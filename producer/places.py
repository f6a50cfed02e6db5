"""Places where documents lie, here or at an address: what they list, and what comes of a file."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from errno import EINVAL
from pathlib import Path
from typing import IO, BinaryIO, Protocol, Self

from models.bounds import NOT_STORED


class NotFetched(Exception):
    """Why nothing came of an address: a category and words. They name no secret of it."""

    def __init__(self, category: str, why: str) -> None:
        super().__init__(why)
        self.category = category


def opened_file(path: Path) -> BinaryIO:
    """A file of this host. Raises OSError, also where it is none: a pipe would be waited for."""
    if not path.is_file():
        raise OSError(EINVAL, "not a regular file")
    return path.open("rb")


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is not submitted, and why."""

    path: str
    category: str
    message: str


@dataclass(frozen=True, slots=True)
class File:
    """A file as its place lists it. `name` is how it is written down, `key` how it is found again.

    `size` in bytes and `changed_ns` since 1970 are 0 where the place does not tell them, or not
    in a way that can be read; `etag` changes whenever the bytes do, and is "" where there is none.
    """

    name: str
    key: str
    size: int = 0
    changed_ns: int = 0
    etag: str = ""


def changed_ns(read: Callable[[str], datetime], said: str | None) -> int:
    """When a file was changed, as `File` has it, by how its place writes times."""
    try:
        found = int(read(said or "").timestamp()) * 10**9
    except (ValueError, TypeError, OverflowError, OSError):
        return 0
    return found if abs(found) < 2**63 else 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A file and its bytes, which may be read and sought until the next one is asked for."""

    file: File
    content: IO[bytes]


def not_had(file: File, why: NotFetched) -> Refused:
    """A file that could not be had."""
    return Refused(file.name, why.category, f"{file.name}: {why}")


class Place(Protocol):
    """A folder, a bucket, a mailbox: it is only read. Has to be entered, and may be again."""

    @property
    def name(self) -> str:
        """How it is written down: without anything secret."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def files(self) -> Iterator[File | Refused]:
        """What lies there, block by block as it is asked for, and what is left out. Raises
        NotFetched where the place itself cannot be read."""
        ...

    def contents(self, found: Iterable[File | Refused]) -> Iterator[Opened | Refused]:
        """These files, opened one by one in this order; what cannot be had, with why."""
        ...


BROKE_OFF = "broke_off"
"""The category of a list that ended too early: what else lies there is not known."""


def listed(place: Place) -> Iterator[File | Refused]:
    """What lies at a place, as far as its list goes; where it breaks off that is the last of it.
    Raises NotFetched where it does not even begin."""
    begun = False
    try:
        for found in place.files():
            begun = True
            yield found
    except NotFetched as exc:
        if not begun:
            raise
        yield Refused(place.name, BROKE_OFF, f"{place.name}: the list broke off: {exc}")


def readable(name: str) -> str:
    """A file name or an id as text. What is no text in it is written as \\xe9."""
    return NOT_STORED.sub(_written, name)


def _written(sign: re.Match[str]) -> str:
    code = ord(sign[0])
    is_byte = code == 0 or 0xDC80 <= code <= 0xDCFF  # as Python reads names that are no UTF-8
    return f"\\x{code & 0xFF:02x}" if is_byte else f"\\u{code:04x}"
