"""Which reader reads which kind, and by what. Imported in the child processes alone."""

from dataclasses import dataclass

from models import kinds
from worker.read import (
    book,
    data,
    delimited,
    html,
    mail,
    opendocument,
    outlook,
    pdf,
    picture,
    plain,
    rtf,
    sheet,
    slides,
    word,
)
from worker.read.kinds import Bounds, Read, Text, needs_password


@dataclass(frozen=True, slots=True)
class Reader:
    """How a kind is read: `by` names the library, or Python's own."""

    read: Read
    by: str


def _pdf(content: bytes, name: str, bounds: Bounds) -> Text:
    return pdf.read(content, name, max_pages=bounds.pages, max_characters=bounds.characters)


def _locked(_: bytes, name: str, __: Bounds) -> Text:
    raise needs_password(name)


_SHEET = Reader(sheet.read, "calamine")
_OPEN_DOCUMENT = Reader(opendocument.read, "Docmill, from its XML")
_PICTURE = Reader(picture.read, "OCR: RapidOCR or Tesseract")
_TEXT = Reader(plain.read, "Docmill; charset-normalizer where the encoding has to be guessed")
READERS = {
    kinds.PDF: Reader(_pdf, "pdfium, doubtful pages by pypdf too, scans by OCR"),
    kinds.DOCX: Reader(word.read, "Docmill, from its XML"),
    kinds.XLSX: _SHEET,
    kinds.XLSB: _SHEET,
    kinds.XLS: _SHEET,
    kinds.PPTX: Reader(slides.read, "Docmill, from its XML"),
    kinds.LOCKED: Reader(_locked, "nobody: it is locked"),
    kinds.ODT: _OPEN_DOCUMENT,
    kinds.ODS: _SHEET,
    kinds.ODP: _OPEN_DOCUMENT,
    kinds.RTF: Reader(rtf.read, "striprtf"),
    kinds.MAIL: Reader(mail.read, "Python's email"),
    kinds.OUTLOOK: Reader(outlook.read, "olefile"),
    kinds.HTML: Reader(html.read, "Beautiful Soup"),
    kinds.EPUB: Reader(book.read, "Beautiful Soup"),
    kinds.XML: Reader(data.read_xml, "Python's expat"),
    kinds.JSON: Reader(data.read_json, "Python's json"),
    kinds.CSV: Reader(delimited.read, "Python's csv"),
    kinds.MARKDOWN: _TEXT,
    kinds.PLAIN: _TEXT,
    kinds.PNG: _PICTURE,
    kinds.JPEG: _PICTURE,
    kinds.TIFF: _PICTURE,
    kinds.WEBP: _PICTURE,
}
