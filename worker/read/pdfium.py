"""PDF by pdfium: what it finds on a page, and nothing decided. Everything of pypdfium2 is here."""

import ctypes
import logging
import math
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import pypdfium2  # noqa: TID251 - the module that knows pdfium
import pypdfium2.raw as raw  # noqa: TID251
from PIL import Image

from worker.read import layout
from worker.read.grid import Run
from worker.read.layout import Line
from worker.read.reading import STAMPED, Damaged, Locked, Reading, Sheet, StrangeLock, reading

Span = tuple[int, int]

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
_HYPHENS = str.maketrans({"\x02": "-\n", "\ufffe": "-\n"})
_HYPHEN = str.maketrans({"\x02": "-", "\ufffe": "-"})
_LINE_END, _WORD = re.compile("[\n\x02\ufffe]"), re.compile(r"\S+")
# Asked of so many characters: without types that are checked each time it takes half as long.
_UNCHECKED = ctypes.CFUNCTYPE(ctypes.c_int)
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
        laid = _laid_out(text, _Places(page, handle, kept))
        return reading(laid, count - len(kept)), fonts
    finally:
        text_page.close()


class _Places:
    """Where characters of a page stand, as people see it: from the left, and downwards."""

    def __init__(self, page: Any, text_page: Any, kept: Sequence[int]) -> None:
        self._turn = raw.FPDFPage_GetRotation(page)
        self._text_page, self._kept = ctypes.cast(text_page, ctypes.c_void_p), kept
        self._first, self._last = raw.FS_RECTF(), raw.FS_RECTF()

    def run(self, text: str, start: int, end: int) -> Run | None:
        """Characters of a line, of which the ends are looked at; None: they do not stand in one."""
        for at, box in ((start, self._first), (end - 1, self._last)):
            if not _BOX_OF(self._text_page, self._kept[at], ctypes.byref(box)):
                return None
        left, top, end_of_first, bottom = self._seen(self._first)
        _, last_top, right, last_bottom = self._seen(self._last)
        if right < end_of_first or not last_top <= (top + bottom) / 2 <= last_bottom:
            return None
        return Run(text, left, min(top, last_top), right, max(bottom, last_bottom))

    def _seen(self, box: Any) -> tuple[float, float, float, float]:
        """Its left, top, right and bottom, on the page as it is turned."""
        match self._turn:
            case 0:
                return box.left, -box.top, box.right, -box.bottom
            case 1:
                return box.bottom, box.left, box.top, box.right
            case 2:
                return -box.right, box.bottom, -box.left, box.top
        return -box.top, -box.right, -box.bottom, -box.left


def _laid_out(text: str, places: _Places) -> str:
    """A page's text, with its columns kept apart where it has some."""
    spans = list(_lines(text))
    lines = [_line(text, span, places) for span in spans]
    looked_at = layout.stretched(lines)
    if not looked_at and not layout.stand_beside(lines):
        return text.translate(_HYPHENS)
    for number in looked_at:
        lines[number] = _with_words(lines[number], text, spans[number], places)
    return "\n".join(layout.laid_out(lines))


def _lines(text: str) -> Iterator[Span]:
    """Where each line begins and ends; a hyphen that pdfium found to part a word is its last."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield start, end.start() + (end[0] != "\n")
        start = end.end()
    yield start, len(text)


def _line(text: str, span: Span, places: _Places) -> Line:
    """A line as one run."""
    said = text[slice(*span)].translate(_HYPHEN)
    seen = said.strip()
    if not seen:
        return Line(said)
    start = span[0] + said.index(seen)
    run = places.run(seen, start, start + len(seen))
    return Line(said, (run,) if run else ())


def _with_words(line: Line, text: str, span: Span, places: _Places) -> Line:
    """A line with its columns."""
    words = [word.span() for word in _WORD.finditer(text, *span)]
    runs = [places.run(text[a:b].translate(_HYPHEN), a, b) for a, b in words]
    known = [run for run in runs if run is not None]
    return layout.line(line.text, known) if len(known) == len(runs) else line


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
