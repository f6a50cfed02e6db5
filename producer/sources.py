"""What the user points at, made into documents: files, folders, globs, JSONL, standard input.

What cannot be used is refused with its reason, and the rest goes on. The bytes are only looked
at, never parsed: that is the worker's job, in a process that may die of it.
"""

import glob
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from models.bounds import NOT_STORED

MEBIBYTE = 1_048_576
SNIFF_BYTES = 8_192

PDF = "application/pdf"
MEDIA_TYPES = {
    ".pdf": PDF,
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
}
PLAIN = "text/plain"

CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
MOST_CONTROL_SHARE = 0.1
"""Text has next to no control characters; a binary file is full of them."""

BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A document to submit."""

    path: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is not submitted, and why."""

    path: str
    category: str
    message: str


Source = Accepted | Refused


def readable(name: str) -> str:
    """A file name or an id as text. What is no text in it is written as \\xe9."""
    return NOT_STORED.sub(_written, name)


def _written(sign: re.Match[str]) -> str:
    code = ord(sign[0])
    is_byte = code == 0 or 0xDC80 <= code <= 0xDCFF  # as Python reads names that are no UTF-8
    return f"\\x{code & 0xFF:02x}" if is_byte else f"\\u{code:04x}"


def gather(paths: Sequence[str], stdin: BinaryIO, file_mb: int) -> Iterator[Source]:
    """Every document behind the given paths, in a stable order, each file once.

    Categories of refusals: not_found, not_entered (folders and links), empty, too_large,
    unsupported_type, unreadable, bad_line.
    """
    seen: set[Path] = set()
    for path in paths:
        if path == "-":
            yield from _from_stdin(stdin, file_mb)
            continue
        for found in _files(path):
            if isinstance(found, Refused):
                yield found
            elif (resolved := found.resolve()) not in seen:
                seen.add(resolved)
                yield from _from_file(found, file_mb)


def _files(path: str) -> Iterator[Path | Refused]:
    """The files that a path stands for. A name with brackets that exists is a name, not a glob."""
    given = Path(path)
    try:
        if given.is_dir():
            yield from _inside(given)
            return
        matches = [given] if given.exists() else [Path(m) for m in glob.glob(path, recursive=True)]
    except (OSError, ValueError):
        matches = []  # too long a name, or a NUL in it: no such file
    if not matches:
        yield _refused(given, "not_found", "no such file or folder")
    for match in sorted(matches):
        if match.is_dir():
            yield from _inside(match)
        else:
            yield match


def _inside(folder: Path) -> Iterator[Path | Refused]:
    """Every file below a folder but hidden ones, by name; and what is not entered, with why."""
    empty = True
    left = [folder]
    while left:
        path = left.pop()
        try:
            if path is not folder and path.is_symlink() and not path.is_file():
                there = "a folder" if path.is_dir() else "nothing that can be read"
                yield _refused(path, "not_entered", f"this link to {there} was not followed")
            elif path.is_dir():
                shown = (name for name in os.listdir(path) if not name.startswith("."))
                left += map(path.joinpath, sorted(shown, reverse=True))
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
        if not file.is_file():
            yield Refused(name, "unreadable", f"{name}: not a regular file")
            return
        if file.stat().st_size > file_mb * MEBIBYTE:
            yield _too_large(name, file_mb)
            return
        data = file.read_bytes()
    except OSError as exc:
        yield Refused(name, "unreadable", f"{name}: {exc.strerror or exc}")
        return
    if file.suffix.lower() == ".jsonl":
        yield from _from_lines(name, data)
    else:
        yield _document(name, file.suffix.lower(), data)


def _from_stdin(stdin: BinaryIO, file_mb: int) -> Iterator[Source]:
    data = stdin.read(file_mb * MEBIBYTE + 1)
    if len(data) > file_mb * MEBIBYTE:
        yield _too_large("-", file_mb)
    elif _is_jsonl(data):
        yield from _from_lines("-", data)
    else:
        yield _document("-", "", data)


def _is_jsonl(data: bytes) -> bool:
    first = data.lstrip().split(b"\n", 1)[0]
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "text" in value


def _from_lines(path: str, data: bytes) -> Iterator[Source]:
    """One document a line: {"text": ..., "id": ...}; without an id the line number names it."""
    names: set[str] = set()
    found = False
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        found = True
        try:
            yield _from_line(path, number, json.loads(line), names)
        except (ValueError, RecursionError) as exc:
            yield Refused(
                f"{path}:{number}", "bad_line", f"{path}, line {number}: not JSON ({exc})"
            )
    if not found:
        yield _empty(path)


def _from_line(path: str, number: int, value: object, names: set[str]) -> Source:
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(text, str):
        message = f'{path}, line {number}: needs an object with a string "text"'
        return Refused(f"{path}:{number}", "bad_line", message)
    name = _name(path, number, value.get("id"))
    if name in names:  # the id of another line, or its number
        name = f"{name} (line {number})"
    names.add(name)
    data = text.encode("utf-8", "replace")
    return Accepted(name, PLAIN, data) if data.strip() else _empty(name)


def _name(path: str, number: int, given: object) -> str:
    """Only words and numbers name a line: null, a list or an empty string name nothing."""
    is_name = isinstance(given, str | int | float) and not isinstance(given, bool)
    words = readable(str(given)).strip() if is_name else ""
    return f"{path}#{words or number}"


def _document(path: str, suffix: str, data: bytes) -> Source:
    if not data.strip():
        return _empty(path)
    media_type = _media_type(suffix, data)
    if media_type is None:
        message = f"{path}: neither PDF, HTML, Markdown nor plain text"
        return Refused(path, "unsupported_type", message)
    return Accepted(path, media_type, data)


def _media_type(suffix: str, data: bytes) -> str | None:
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return PDF
    if suffix == ".pdf":
        return PDF  # damaged at the front; the reader may still mend it
    if _is_binary(data[:SNIFF_BYTES]):
        return None
    return MEDIA_TYPES.get(suffix, PLAIN)


def _is_binary(head: bytes) -> bool:
    if head.startswith(BYTE_ORDER_MARKS):
        return False
    controls = len(head) - len(head.translate(None, CONTROL))
    return controls > MOST_CONTROL_SHARE * len(head)


def _empty(path: str) -> Refused:
    return Refused(path, "empty", f"{path}: empty")


def _too_large(path: str, file_mb: int) -> Refused:
    message = f"{path}: larger than {file_mb} MB; raise limits.file_mb in docmill.toml or split it"
    return Refused(path, "too_large", message)
