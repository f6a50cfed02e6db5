"""Kinds of files: told by what is in them, and by the name only where a text may be several."""

import re
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

PDF = "application/pdf"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
CSV = "text/csv"
JSON = "application/json"
JSONL = "application/jsonl"
XML = "application/xml"
RTF = "application/rtf"
MAIL = "message/rfc822"
OUTLOOK = "application/vnd.ms-outlook"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLS = "application/vnd.ms-excel"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"
LOCKED = "application/x-ooxml-encrypted"
PNG = "image/png"
JPEG = "image/jpeg"
TIFF = "image/tiff"
WEBP = "image/webp"

MBOX = "application/mbox"
ZIP = "application/zip"
TAR = "application/x-tar"
GZIP = "application/gzip"
BZIP2 = "application/x-bzip2"
XZ = "application/x-xz"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that is read. `endings` are those that it usually has; without the dot."""

    media_type: str
    name: str
    endings: tuple[str, ...]


KINDS = (
    Kind(PDF, "PDF", ("pdf",)),
    Kind(DOCX, "Word", ("docx", "docm", "dotx")),
    Kind(XLSX, "Excel", ("xlsx", "xlsm")),
    Kind(XLSB, "Excel, binary", ("xlsb",)),
    Kind(XLS, "Excel 97", ("xls",)),
    Kind(PPTX, "PowerPoint", ("pptx", "pptm", "ppsx")),
    Kind(ODT, "OpenDocument text", ("odt", "ott")),
    Kind(ODS, "OpenDocument sheet", ("ods",)),
    Kind(ODP, "OpenDocument slides", ("odp",)),
    Kind(RTF, "Rich Text", ("rtf",)),
    Kind(MAIL, "mail, web archive", ("eml", "mht", "mhtml")),
    Kind(OUTLOOK, "Outlook mail", ("msg",)),
    Kind(HTML, "HTML", ("html", "htm", "xhtml")),
    Kind(EPUB, "EPUB", ("epub",)),
    Kind(XML, "XML", ("xml",)),
    Kind(JSON, "JSON", ("json",)),
    Kind(CSV, "CSV", ("csv", "tsv")),
    Kind(MARKDOWN, "Markdown", ("md", "markdown")),
    Kind(PLAIN, "plain text", ("txt",)),
    Kind(PNG, "PNG", ("png",)),
    Kind(JPEG, "JPEG", ("jpg", "jpeg")),
    Kind(TIFF, "TIFF", ("tif", "tiff")),
    Kind(WEBP, "WebP", ("webp",)),
)
"""Those that a reader reads: a document each."""

CONTAINERS = (
    Kind(JSONL, "JSON lines of texts", ("jsonl", "ndjson")),
    Kind(MBOX, "mailbox", ("mbox",)),
    Kind(ZIP, "ZIP", ("zip",)),
    Kind(TAR, "TAR", ("tar",)),
    Kind(GZIP, "gzip", ("gz", "tgz")),
    Kind(BZIP2, "bzip2", ("bz2",)),
    Kind(XZ, "xz", ("xz",)),
)
"""Those that hold others: each of these is a document."""

READ = frozenset(kind.media_type for kind in KINDS) | {LOCKED}
HOLDING = frozenset(kind.media_type for kind in CONTAINERS)

_BY_ENDING = {ending: kind.media_type for kind in (*KINDS, *CONTAINERS) for ending in kind.endings}
# Where a text's own signs do not tell, its name may.
_NAMED = {MARKDOWN, CSV, JSON, JSONL, XML, HTML}

_MAGIC = (
    (b"\x1f\x8b\x08", GZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\0", XZ),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF8", "image/gif"),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),  # files beyond 4 GB, and of programs that always write so
    (b"MM\0+", TIFF),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Streams by which an OLE file is known, the first that is there.
_STREAMS = (
    ("EncryptedPackage", LOCKED),
    ("__properties_version1.0", OUTLOOK),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", XLS),
    ("Book", XLS),
)
# Parts by which a ZIP is known to be one document.
_PARTS = (
    ("word/document.xml", DOCX),
    ("xl/workbook.xml", XLSX),
    ("xl/workbook.bin", XLSB),
    ("ppt/presentation.xml", PPTX),
)
_FOLDERS = {"word/": DOCX, "xl/": XLSX, "ppt/": PPTX}
_ZIPPED = {
    ODT.encode(): ODT,
    ODT.encode() + b"-template": ODT,
    ODS.encode(): ODS,
    ODP.encode(): ODP,
    EPUB.encode(): EPUB,
}
_MOST_DIRECTORY = 4 * 1_048_576
_MOST_NAME = 200

HEAD = 8_192
_CONTROL = bytes(sorted(set(range(32)) - set(b"\t\n\v\f\r\x1b")))
_MOST_CONTROL = 0.05
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

_ROOT = re.compile(rb"(?:<\?.*?\?>|<!--.*?-->|<!(?!--)[^>]*>|\s)*<(?:\w+:)?(\w+)", re.DOTALL)
_HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]*):[ \t\r\n]")
# A line of the first is written by people too; one of the second by programs that send mail only.
_PEOPLES = {b"from", b"to", b"cc", b"date", b"subject", b"reply-to", b"sender"}
_PROGRAMS = {b"received", b"message-id", b"mime-version", b"return-path", b"delivered-to"}
_PROGRAMS |= {b"content-transfer-encoding", b"content-type", b"dkim-signature", b"in-reply-to"}
_MBOX = re.compile(rb"From [^\r\n]*\d\d:\d\d[^\r\n]*\d{4}[^\r\n]*\r?\n(?=[A-Za-z-]+:[ \t])")


def kind_of(name: str, file: BinaryIO) -> str | None:
    """The media type of what stands in a seekable file; None for bytes that are no text.

    Types beyond `READ` and `HOLDING` may be told too: of what is known, and not read.
    """
    file.seek(0)
    head = file.read(HEAD)
    ending = name.rpartition(".")[2].lower()
    return _binary(head, file, ending) or _text(head, ending)


def _binary(head: bytes, file: BinaryIO, ending: str) -> str | None:
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(b"PK") and head[2:4] in (b"\3\4", b"\5\6", b"\7\x08"):
        return _zipped(head, file)
    if head.startswith(_OLE):
        return _ole(file)
    if head[257:262] == b"ustar":
        return TAR
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    told = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    # A file that is called so and is damaged at its front may still be mended.
    return told or (PDF if ending == "pdf" else None)


def _zipped(head: bytes, file: BinaryIO) -> str:
    if head[30:38] == b"mimetype" and head[8:10] == b"\0\0":  # as it should be: first, as it is
        size = int.from_bytes(head[18:22], "little")
        return _ZIPPED.get(head[38 : 38 + size].strip(), ZIP)
    names, told = _listed(file)
    if told:
        return _ZIPPED.get(told, ZIP)
    for part, kind in _PARTS:
        if part in names:
            return kind
    if "[Content_Types].xml" not in names:
        return ZIP
    folders = (
        kind for folder, kind in _FOLDERS.items() if any(n.startswith(folder) for n in names)
    )
    return next(folders, ZIP)


def _listed(file: BinaryIO) -> tuple[frozenset[str], bytes]:
    """What a ZIP lists, and the kind that it names in a part of its own.

    Nothing where it is damaged, or lists more than any document does.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))
    end = file.read().rpartition(b"PK\5\6")[2]
    if len(end) < 18 or int.from_bytes(end[8:12], "little") > _MOST_DIRECTORY:
        return frozenset(), b""
    try:
        with zipfile.ZipFile(file) as archive:
            names = frozenset(archive.namelist())
            with archive.open("mimetype") if "mimetype" in names else BytesIO() as part:
                return names, part.read(_MOST_NAME).strip()
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError):
        return frozenset(), b""


def _ole(file: BinaryIO) -> str:
    file.seek(0)
    data = file.read()
    found = (kind for name, kind in _STREAMS if name.encode("utf-16-le") in data)
    return next(found, "application/x-ole-storage")


def _text(head: bytes, ending: str) -> str | None:
    wide = _wide(head)
    if wide is None and not head.startswith(_MARKS) and is_binary(head):
        return None
    signs = head.decode(wide, "replace").encode("latin-1", "replace") if wide else head
    signs = signs.removeprefix(b"\xef\xbb\xbf").lstrip(b"?\r\n\t ")
    return _marked_up(signs) or _sent(signs, ending) or _by_name(signs, ending)


def _wide(head: bytes) -> str | None:
    """The form of a text in units of two bytes, by its mark or its zeros."""
    if head.startswith(_MARKS[1:]):
        return "utf-16"
    return unmarked_utf16(head)


def unmarked_utf16(data: bytes) -> str | None:
    """The order of UTF-16 without a mark, where ASCII is a part of the text; None for others.

    Every second byte of ASCII is zero then; other texts and files hold none, or any.
    """
    even, odd = data[:HEAD:2].count(0), data[1:HEAD:2].count(0)
    half = max(1, min(len(data), HEAD) // 2)
    if odd > 0.3 * half and even < 0.02 * half and not is_binary(data[:HEAD:2]):
        return "utf-16-le"
    wide = even > 0.3 * half and odd < 0.02 * half and not is_binary(data[1:HEAD:2])
    return "utf-16-be" if wide else None


def is_binary(head: bytes) -> bool:
    """Control characters are rare in text, and every tenth byte of anything packed."""
    controls = len(head) - len(head.translate(None, _CONTROL))
    return controls > _MOST_CONTROL * len(head)


def _marked_up(signs: bytes) -> str | None:
    if signs.startswith(b"{\\rtf"):
        return RTF
    if not signs.startswith(b"<"):
        return None
    root = _ROOT.match(signs)
    if root and root[1].lower() == b"html":
        return HTML
    if signs[:15].lower().startswith(b"<!doctype html"):
        return HTML
    return XML if signs.startswith(b"<?xml") else None


def _sent(signs: bytes, ending: str) -> str | None:
    """Mail begins with headers, and a mailbox with the line that parts its mails."""
    if _MBOX.match(signs):
        return MBOX
    head = re.split(rb"\r?\n\r?\n", signs, maxsplit=1)[0]
    lines = re.split(rb"\r?\n(?![ \t])", head)
    found = [_HEADER.match(line + b"\n") for line in lines]
    # The last line may be cut off where the headers are longer than what is looked at.
    if not all(found[:-1] or found):
        return None
    names = {match[1].lower() for match in found if match}
    if names & _PROGRAMS and names & (_PEOPLES | _PROGRAMS - {b"content-type"}):
        return MAIL
    return MAIL if ending in ("eml", "mht", "mhtml") and names & (_PEOPLES | _PROGRAMS) else None


def _by_name(signs: bytes, ending: str) -> str:
    named = _BY_ENDING.get(ending, PLAIN)
    return named if named in _NAMED and (named != XML or signs.startswith(b"<")) else PLAIN
