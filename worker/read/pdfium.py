"""PDF by pdfium: what it finds on a page, and nothing decided. Everything of pypdfium2 is here."""

import ctypes
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import pypdfium2  # noqa: TID251 - the module that knows pdfium
import pypdfium2.raw as raw  # noqa: TID251
from PIL import Image

from worker.read.boxes import NOWHERE
from worker.read.places import HYPHENS, Places, laid_out
from worker.read.reading import (
    CONTROLS,
    STAMPED,
    Damaged,
    Locked,
    Reading,
    Sheet,
    StrangeLock,
)

# It warns of forms in XFA, which are refused or read without it.
logging.getLogger("pypdfium2").setLevel(logging.ERROR)

PICTURE_SHARE = 0.05
"""Of the page's area: below it a picture is a logo."""

MOST_PATHS = 50
"""More lines and curves than that on a page without text may be letters drawn as outlines."""

FONTS_ASKED = 9
"""Characters of a page whose fonts are asked for."""

_DEPTH = 4
_LONGEST_NAME = 128
_EDGES, _BOX_BYTES = 4, ctypes.sizeof(raw.FS_RECTF)
# Asked of so many characters: without types that are checked, and threads that are let in, each
# time it takes half as long.
_UNCHECKED = ctypes.PYFUNCTYPE(ctypes.c_int)
_IS_LOST, _BOX_OF = (
    ctypes.cast(asked, _UNCHECKED)
    for asked in (raw.FPDFText_HasUnicodeMapError, raw.FPDFText_GetLooseCharBox)
)
_OUT_OF_SIGHT = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_CHECKED = frozenset({raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON})
_FILLED = frozenset(
    {raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX}
)


class Document:
    """An open file. Has to be closed: use it in a `with` block."""

    def __init__(self, data: bytes, password: str | None = None) -> None:
        """Raises Locked, StrangeLock or Damaged."""
        try:
            self._pdf = pypdfium2.PdfDocument(data, password=password)
            self._pdf.init_forms()
        except pypdfium2.PdfiumError as error:
            match error.err_code:
                case raw.FPDF_ERR_PASSWORD:
                    raise Locked from error
                case raw.FPDF_ERR_SECURITY:
                    raise StrangeLock from error
            raise Damaged(str(error)) from error

    def __enter__(self) -> "Document":
        return self

    def __exit__(self, *_: object) -> None:
        self._pdf.close()

    def __len__(self) -> int:
        return len(self._pdf)

    @property
    def is_dynamic_form(self) -> bool:
        """Whether its pages are made by the program that opens it (XFA), and stand not in it."""
        return bool(self._pdf.get_formtype() == raw.FORMTYPE_XFA_FULL)

    @property
    def language(self) -> str | None:
        """The language that the file says it is in, such as hi-IN."""
        return _string(lambda *to: raw.FPDFCatalog_GetLanguage(self._pdf, *to)) or None

    def attachments(self, most: int) -> tuple[int, list[str]]:
        """How many files are attached, and the names of the first `most`."""
        count = self._pdf.count_attachments()
        names = [
            _string(lambda *to, at=at: raw.FPDFAttachment_GetName(at, *to))
            for number in range(min(count, most))
            if (at := raw.FPDFDoc_GetAttachment(self._pdf, number))
        ]
        return count, names

    def sheet(self, number: int, max_characters: int) -> Sheet | None:
        """Page `number`, from 0; None where it has more characters than that. Raises Damaged."""
        try:
            page = self._pdf[number]
        except pypdfium2.PdfiumError as error:
            raise Damaged(str(error)) from error
        try:
            read = _read(page, max_characters)
            if read is None:
                return None
            found, fonts = read
            filled, comments = self._beside(page)
            if found.letters > STAMPED:
                return Sheet(found, filled, comments=comments, fonts=fonts)
            picture, drawn = _seen(page)
            return Sheet(found, filled, picture, drawn, _written(page), comments, fonts)
        except pypdfium2.PdfiumError as error:
            raise Damaged(str(error)) from error
        finally:
            page.close()

    def picture(self, number: int, pixels: int) -> Image.Image:
        """Page `number`, from 0, as people see it, with about so many pixels. Raises Damaged."""
        try:
            page = self._pdf[number]
        except pypdfium2.PdfiumError as error:
            raise Damaged(str(error)) from error
        try:
            scale = math.sqrt(pixels / max(1, page.get_width() * page.get_height()))
            drawn: Image.Image = page.render(scale=scale, rev_byteorder=True).to_pil()
            return drawn.copy()  # the other one is pdfium's memory
        except (pypdfium2.PdfiumError, ValueError) as error:  # or a page without a size
            raise Damaged(str(error)) from error
        finally:
            page.close()

    def unlocked(self, write: Callable[[bytes], object]) -> None:
        """Write the file without its lock. Raises Damaged."""
        try:
            self._pdf.save(_Sink(write), flags=raw.FPDF_REMOVE_SECURITY)
        except pypdfium2.PdfiumError as error:
            raise Damaged(str(error)) from error

    def _beside(self, page: Any) -> tuple[tuple[str, ...], int]:
        """What is filled in, and how many comments there are."""
        lines, comments = list[str](), 0
        for number in range(raw.FPDFPage_GetAnnotCount(page)):
            note = raw.FPDFPage_GetAnnot(page, number)
            if not note:
                continue
            kind = raw.FPDFAnnot_GetSubtype(note)
            if raw.FPDFAnnot_GetFlags(note) & _OUT_OF_SIGHT == 0:
                if kind == raw.FPDF_ANNOT_WIDGET:
                    lines += self._field(note)
                elif kind == raw.FPDF_ANNOT_FREETEXT:
                    lines += filter(None, [_contents(note)])
                elif kind not in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP):
                    comments += bool(_contents(note))
            raw.FPDFPage_CloseAnnot(note)
        return tuple(lines), comments

    def _field(self, widget: Any) -> Iterator[str]:
        """A field of a form as a line, "what it is called: what stands in it"."""
        form = self._pdf.formenv
        if form is None:
            return
        kind = raw.FPDFAnnot_GetFormFieldType(form, widget)
        value = ""
        if kind in _FILLED:
            value = _string(lambda *to: raw.FPDFAnnot_GetFormFieldValue(form, widget, *to))
        elif kind in _CHECKED and raw.FPDFAnnot_IsChecked(form, widget):
            value = _string(lambda *to: raw.FPDFAnnot_GetFormFieldExportValue(form, widget, *to))
        if not value.strip():
            return
        called = _string(lambda *to: raw.FPDFAnnot_GetFormFieldAlternateName(form, widget, *to))
        called = called or _string(lambda *to: raw.FPDFAnnot_GetFormFieldName(form, widget, *to))
        yield f"{called}: {value}" if called else value


class _Sink:
    """Takes a file that is written: pypdfium2 wants an object with `write`."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(bytes(data))
        return len(data)


def _read(page: Any, max_characters: int) -> tuple[Reading, tuple[str, ...]] | None:
    text_page = page.get_textpage()
    try:
        count = text_page.count_chars()
        if count > max_characters:
            return None
        handle = text_page.raw
        plain = ctypes.cast(handle, ctypes.c_void_p)
        marks = list(map(_IS_LOST, repeat(plain, count), range(count)))
        kept: Sequence[int] = range(count)
        if 1 in marks:
            kept = [at for at, mark in enumerate(marks) if mark != 1]
        # At once where it can be: GetText leaves out what has no place in UCS-2.
        text = text_page.get_text_range() if kept and len(kept) == count else ""
        if len(text) != len(kept):
            text = "".join(map(chr, map(raw.FPDFText_GetUnicode, repeat(handle), kept)))
        asked = kept[:: len(kept) // FONTS_ASKED + 1]
        fonts = tuple(filter(None, (_font(handle, at) for at in asked)))
        text, kept = _without_controls(text, kept)
        laid, boxes = laid_out(text, lambda ends: _look(page, plain, _those(kept, ends)))
        return Reading(laid, count - len(kept), boxes), fonts
    finally:
        text_page.close()


def _look(page: Any, text_page: ctypes.c_void_p, characters: Sequence[int]) -> Places:
    """Ask where characters of a page stand; that takes time, so that no more are asked about than
    have to be."""
    edges = (ctypes.c_float * (_EDGES * len(characters)))()
    into = map(ctypes.byref, repeat(edges), range(0, ctypes.sizeof(edges), _BOX_BYTES))
    known = list(map(_BOX_OF, repeat(text_page), characters, into))
    if 0 in known:
        for at in (at for at, is_known in enumerate(known) if not is_known):
            edges[_EDGES * at : _EDGES * (at + 1)] = list(NOWHERE)
    around = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page, around)
    extent = around.left, around.top, around.right, around.bottom
    return Places(edges[:], extent, raw.FPDFPage_GetRotation(page))


def _those(kept: Sequence[int], numbers: Sequence[int]) -> Sequence[int]:
    """Of the characters that were kept, those with these numbers."""
    return numbers if isinstance(kept, range) else [kept[number] for number in numbers]


def _without_controls(text: str, kept: Sequence[int]) -> tuple[str, Sequence[int]]:
    """A text without control codes, other than the marks of hyphens; `kept`: the numbers of its
    characters."""
    gone = {code.start() for code in CONTROLS.finditer(text) if code[0] not in HYPHENS}
    if not gone:
        return text, kept
    left = [at for at in range(len(text)) if at not in gone]
    return "".join(text[at] for at in left), [kept[at] for at in left]


def _font(text_page: Any, at: int) -> str:
    """The name of a character's font."""
    name = ctypes.create_string_buffer(_LONGEST_NAME)
    raw.FPDFText_GetFontInfo(text_page, at, name, _LONGEST_NAME, None)
    return name.value.decode("utf-8", "replace")


def _seen(page: Any) -> tuple[float, bool]:
    """The share of the page that pictures cover, and whether there is more than text at all."""
    area, covered, paths = page.get_width() * page.get_height(), 0.0, 0
    kinds = [raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING]
    for item in page.get_objects(filter=kinds, max_depth=_DEPTH):
        if item.type != raw.FPDF_PAGEOBJ_IMAGE:
            paths += 1
        elif item.level:  # its bounds count in a form's own space
            covered = area
        else:
            left, bottom, right, top = item.get_bounds()
            covered += abs(right - left) * abs(top - bottom)
    share = min(1.0, covered / area) if area else 0.0
    return share, share >= PICTURE_SHARE or paths > MOST_PATHS


def _written(page: Any) -> float:
    """The share of the page that its characters take up."""
    text_page, box, taken = page.get_textpage(), raw.FS_RECTF(), 0.0
    try:
        for at in range(text_page.count_chars()):
            if raw.FPDFText_GetLooseCharBox(text_page, at, box):
                taken += abs(box.right - box.left) * abs(box.top - box.bottom)
    finally:
        text_page.close()
    area = page.get_width() * page.get_height()
    return taken / area if area else 1.0


def _contents(note: Any) -> str:
    return _string(lambda *to: raw.FPDFAnnot_GetStringValue(note, b"Contents", *to)).strip()


def _string(get: Callable[..., int]) -> str:
    """A string of pdfium's: asked once for its length in bytes and once for itself."""
    size = get(None, 0)
    if size <= ctypes.sizeof(raw.FPDF_WCHAR):
        return ""
    buffer = (raw.FPDF_WCHAR * -(-size // ctypes.sizeof(raw.FPDF_WCHAR)))()
    get(buffer, size)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\0")
