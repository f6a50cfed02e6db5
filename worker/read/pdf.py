"""PDF by pypdf: every page's text, what had to be mended, and a typed error for the rest."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from pypdf import PageObject, PasswordType, PdfReader  # noqa: TID251 - the module that reads PDF
from pypdf.errors import DependencyError, FileNotDecryptedError, PdfReadError  # noqa: TID251

from models.errors import ReadError
from worker.read.kinds import MAX_CHARACTERS, MAX_PAGES, Text, too_many_pages, too_much_text

_MAX_NOTES = 20
# What a truncated file lacks; told that its table is nowhere, pypdf looks for the objects itself.
_REBUILD = b"\nstartxref\n0\n%%EOF\n"
# How a font without a Unicode map comes out: "/g131/g144/g155" may have been "any".
_GLYPH_NUMBERS = re.compile(r"/(?:g|gid|glyph|cid|index|[acCG])\d{1,5}")
# A ligature's glyph is named after its letters, and pypdf passes the name through: Indian fonts
# are full of "/uni0915094D0937" for KA, VIRAMA, SSA. A number after a dot is the font's own.
_GLYPH_NAME = re.compile(r"/uni((?:[0-9A-F]{4})+)(?:\.[0-9]+)?")


def read(
    data: bytes,
    name: str,
    *,
    max_pages: int = MAX_PAGES,
    max_characters: int = MAX_CHARACTERS,
) -> Text:
    """Read the text of every page; a page that cannot be read is empty and noted.

    A file that asks for a password is tried with the empty one.
    Raises ReadError `encrypted`, `damaged`, `too_many_pages` or `too_much_text`.
    """
    notes = list[str]()
    with _logged() as logged:
        pages = _open(data, name, max_pages, notes)
        texts = _texts(pages, name, max_characters, notes)
    return Text.of(texts, list(dict.fromkeys(notes + logged))[:_MAX_NOTES])


class _Lines(logging.Handler):
    """Keeps what pypdf logs, for the document's own notes instead of the worker's log."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        # A damaged file can log a line per object: only the first few are of use to a person.
        if len(self._lines) < 10 * _MAX_NOTES:
            self._lines.append(record.getMessage())


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect pypdf's log lines in a list, and nowhere else, while the block runs."""
    logger, lines = logging.getLogger("pypdf"), list[str]()
    handler, propagate = _Lines(lines), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)


def _open(data: bytes, name: str, max_pages: int, notes: list[str]) -> list[PageObject]:
    """All pages, unlocked and counted but not yet read."""
    try:
        return _pages(data, name, max_pages)
    except PdfReadError as error:
        first = error
    try:
        pages = _pages(data + _REBUILD, name, max_pages)
    except PdfReadError:
        raise _damaged(name, first) from first
    notes.append("the file is damaged and was rebuilt from its parts; pages may be missing")
    return pages


def _pages(data: bytes, name: str, max_pages: int) -> list[PageObject]:
    """One try at opening; raises PdfReadError where another might succeed, else ReadError."""
    try:
        reader = PdfReader(BytesIO(data))
        _unlock(reader, name)
        count = len(reader.pages)
        if count > max_pages:
            raise too_many_pages(name, count, max_pages)
        if count == 0:
            raise PdfReadError("it has no pages")
        return list(reader.pages)
    except (DependencyError, FileNotDecryptedError) as error:
        raise _encrypted(name) from error
    except (MemoryError, ReadError, PdfReadError):
        raise
    except Exception as error:  # pypdf: "broken PDF files might cause other exceptions"
        raise PdfReadError(_short(error)) from error


def _unlock(reader: PdfReader, name: str) -> None:
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise _encrypted(name)


def _texts(pages: list[PageObject], name: str, max_characters: int, notes: list[str]) -> list[str]:
    """The text of each page; "" and a note for one that fails, an error if every one fails."""
    texts, failed, left = list[str](), list[Exception](), max_characters
    for number, page in enumerate(pages, 1):
        try:
            texts.append(_page_text(page, number, notes))
        except MemoryError:
            raise
        except Exception as error:  # one bad page must not cost the others
            failed.append(error)
            notes.append(f"page {number} could not be read: {_short(error)}")
            texts.append("")
        left -= len(texts[-1])
        if left < 0:
            raise too_much_text(name, max_characters)
    if len(failed) == len(pages):
        raise _damaged(name, failed[0]) from failed[0]
    return texts


def _page_text(page: PageObject, number: int, notes: list[str]) -> str:
    """The page's text; none if it is mostly glyph numbers, which would only cost tokens."""
    text = page.extract_text()
    if sum(map(len, _GLYPH_NUMBERS.findall(text))) * 2 > len(text):
        notes.append(f"page {number} is in a font that does not say which letters it shows: OCR it")
        return ""
    return _GLYPH_NAME.sub(_letters, text)


def _letters(glyph: re.Match[str]) -> str:
    """The letters that a glyph name spells, four hexadecimal digits each."""
    return bytes.fromhex(glyph[1]).decode("utf-16-be", "replace")


def _encrypted(name: str) -> ReadError:
    return ReadError("encrypted", f"{name} needs a password: save a copy without one")


def _damaged(name: str, error: Exception) -> ReadError:
    return ReadError("damaged", f"{name} is a damaged PDF ({_short(error)}): export it again")


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
