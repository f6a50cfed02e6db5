"""PDF by pypdf: the second opinion on a page, and the only one where pdfium opens no file."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from pypdf import PageObject, PasswordType, PdfReader  # noqa: TID251 - the module that knows pypdf
from pypdf._codecs.adobe_glyphs import adobe_glyphs  # noqa: TID251
from pypdf.errors import DependencyError, FileNotDecryptedError, PdfReadError  # noqa: TID251
from pypdf.generic import DictionaryObject  # noqa: TID251
from pypdf.generic._font import Font  # noqa: TID251

from worker.read.reading import Damaged, Locked, Sheet, StrangeLock, reading

# What a truncated file lacks; told that its table is nowhere, pypdf looks for the objects itself.
_REBUILD = b"\nstartxref\n0\n%%EOF\n"
# Stands for a character without a letter: a code point that is none.
_LOST = "\ufdd0"
# Names that spell their letters in hexadecimal (Adobe, "Adobe Glyph List Specification", 2): Indian
# fonts are full of "uni0915094D0937" for KA, VIRAMA, SSA.
_SPELT = re.compile(r"uni((?:[0-9A-F]{4})+)|u([0-9A-F]{4,6})")


class Document:
    """A file as pypdf opens it."""

    def __init__(self, data: bytes) -> None:
        """Raises Locked, StrangeLock or Damaged."""
        with _quietly():
            try:
                self._pages = _pages(data)
            except PdfReadError as error:
                self._pages = self._mended(data, error)

    def _mended(self, data: bytes, first: PdfReadError) -> list[PageObject]:
        try:
            return _pages(data + _REBUILD)
        except PdfReadError:
            raise Damaged(f"{type(first).__name__}: {first}"[:200]) from first

    def __len__(self) -> int:
        return len(self._pages)

    def sheet(self, number: int, max_characters: int) -> Sheet | None:
        """Page `number`, from 0; None where it has more characters than that. Raises Damaged."""
        page = self._pages[number]
        try:
            with _quietly(), _lost_marked():
                text = page.extract_text()
                found = reading(text.replace(_LOST, ""), text.count(_LOST))
                picture = _has_picture(page)
        except MemoryError:
            raise
        except Exception as error:  # pypdf: "broken PDF files might cause other exceptions"
            raise Damaged(f"{type(error).__name__}: {error}"[:200]) from error
        if len(found.text) > max_characters:
            return None
        return Sheet(found, picture=float(picture), drawn=picture)


def _pages(data: bytes) -> list[PageObject]:
    """One try at opening; raises PdfReadError where another might succeed."""
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise Locked
        pages = list(reader.pages)
    except FileNotDecryptedError as error:
        raise Locked from error
    except DependencyError as error:
        raise StrangeLock from error
    except (MemoryError, Locked, PdfReadError):
        raise
    except Exception as error:
        raise PdfReadError(f"{type(error).__name__}: {error}"[:200]) from error
    if not pages:
        raise PdfReadError("it has no pages")
    return pages


def _has_picture(page: PageObject) -> bool:
    resources: Any = page.get("/Resources", DictionaryObject()).get_object()
    objects: Any = resources.get("/XObject", DictionaryObject()).get_object()
    return any(item.get_object().get("/Subtype") == "/Image" for item in objects.values())


class _Marking(dict[Any, Any]):
    """A font's map of codes to letters that marks a code without one. pypdf would take the code
    itself for a letter: digits and letters inside words that nobody wrote."""

    def get(self, key: Any, default: Any = None) -> Any:
        """The letter of a code."""
        return super().get(key, _LOST)


@contextmanager
def _lost_marked() -> Iterator[None]:
    """While the block runs, fonts mark what they have no letter for."""
    fonts: Any = Font
    before, make = Font.__dict__["from_font_resource"], Font.from_font_resource

    def marked(resource: Any) -> Font:
        font = make(resource)
        if isinstance(font.encoding, dict) and resource.get("/Subtype") != "/Type0":
            font.encoding = {code: spelt(name) for code, name in font.encoding.items()}
        elif isinstance(font.encoding, dict):  # a CMap of its own, which pypdf does not read
            font.character_map = _Marking()
        elif _codes_are_glyphs(resource, font.encoding):
            font.character_map = _Marking(font.character_map)
        return font

    fonts.from_font_resource = staticmethod(marked)
    try:
        yield
    finally:
        fonts.from_font_resource = before


def _codes_are_glyphs(resource: Any, encoding: str) -> bool:
    """Whether a font's codes are numbers of glyphs; by the CMaps of a script they are letters."""
    cmap = str(resource.get("/Encoding", ""))
    return encoding == "utf-16-be" and not cmap.startswith("/Uni")


def spelt(name: str) -> str:
    """The letters of a glyph: pypdf passes on the names that it does not know, such as /f_f_i or
    /uni0915094D0937.half. What follows a dot is the font's own."""
    if len(name) < 2 or not name.startswith("/"):
        return name
    parts = name[1:].partition(".")[0].split("_")
    return "".join(map(_letters, parts)) if all(parts) else _LOST


def _letters(part: str) -> str:
    """The letters of a part of a glyph's name."""
    if found := _SPELT.fullmatch(part):
        letters = bytes.fromhex(found[1]).decode("utf-16-be", "replace") if found[1] else None
        return letters or chr(min(int(found[2], 16), 0x10FFFF))
    return str(adobe_glyphs.get(f"/{part}", _LOST))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what pypdf logs about a file out of the worker's log while the block runs."""
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
