"""Documents of every kind that say the same, made here; and the hostile neighbours of each.

`SAID` is what each of them holds, in the parts that its kind has.
"""

import bz2
import gzip
import io
import itertools
import json
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage
from html import escape

import docx
import openpyxl
import pptx
from openpyxl.comments import Comment
from pptx.util import Inches

PROSE = (
    "The lessor lets the cold store at Millbank to Asha Rao for five years.",
    "किराया हर महीने की पहली तारीख को देना होगा।",
    "Überfällige Beträge tragen Zinsen – 9 % im Jahr, “pro rata temporis”.",
)
ROWS = (
    ("Item", "Quantity", "Price"),
    ("Compressor oil", "12", "1,240.50"),
    ("Door seal", "3", "88.00"),
    ("Inspection | yearly", "1", "415.75"),
)
NOTE = "Remember the deposit of 7,700 rupees."
ASIDE = "Registered under number 20-4471."
TOP = "Neelkanta Storage LLP"
SUBJECT = "Rent of Märkte & Söhne, April"
WIDE = tuple((f"part {n}", str(n * 3), f"{n * 11}.25") for n in range(200))


# --- packages -------------------------------------------------------------------------------------


def zipped(parts: Mapping[str, bytes | str], *, stored: Sequence[str] = ()) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            kind = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(name, data, compress_type=kind)
    return buffer.getvalue()


def repacked(data: bytes, changes: Mapping[str, bytes | str]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts: dict[str, bytes | str] = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**parts, **changes})


def without(data: bytes, *parts: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({n: archive.read(n) for n in archive.namelist() if n not in parts})


def word(prose: Sequence[str] = PROSE, rows: Sequence[Sequence[str]] = ROWS) -> bytes:
    """With a header, a table, a comment, and in raw XML a footnote, a text box, and changes."""
    made = docx.Document()
    made.sections[0].header.paragraphs[0].text = TOP
    for text in prose:
        paragraph = made.add_paragraph(text)
    if rows:
        table = made.add_table(0, len(rows[0]))
        for row in rows:
            for cell, text in zip(table.add_row().cells, row, strict=True):
                cell.text = text
    made.add_comment(paragraph.runs, text=NOTE, author="Ravi")
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


def word_of(body: str, **parts: str) -> bytes:
    """A document of this XML; of each further part its kind."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    rels = "".join(
        f'<Relationship Id="r{name}" Type="{kind}/{name}" Target="{name}.xml"/>' for name in parts
    )
    space = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    main = f'<Relationship Id="m" Type="{kind}/officeDocument" Target="word/document.xml"/>'
    others = {f"word/{name}.xml": f"<w:{name} {W}>{xml}</w:{name}>" for name, xml in parts.items()}
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f"<Relationships {space}>{main}</Relationships>",
            "word/document.xml": f"<w:document {W} {MC}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": f"<Relationships {space}>{rels}</Relationships>",
            **others,
        }
    )


def sheet(rows: Sequence[Sequence[str]] = ROWS) -> bytes:
    made = openpyxl.Workbook()
    first = made.active
    assert first is not None
    first.title = "Purchases"
    first.append([TOP])
    first.append([])
    for row in rows:
        first.append(list(row))
    first["A4"].comment = Comment(NOTE, "Ravi")
    second = made.create_sheet("Prose")
    for text in PROSE:
        second.append([text])
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def binary_sheet(rows: Sequence[Sequence[str]] = ROWS) -> bytes:
    """An XLSB ([MS-XLSB]): records of an id and a length in parts of seven bits."""

    def parts(number: int, least: int = 1) -> bytes:
        lower, rest = number & 0x7F, number >> 7
        more = rest or least > 1
        return bytes([lower | 0x80 * bool(more)]) + (parts(rest, least - 1) if more else b"")

    def record(kind: int, data: bytes = b"") -> bytes:
        return parts(kind, 2 if kind >= 0x80 else 1) + parts(len(data)) + data

    def wide(text: str) -> bytes:
        raw = text.encode("utf-16-le")
        return struct.pack("<I", len(raw) // 2) + raw

    def cells(grid: Sequence[Sequence[str]]) -> bytes:
        made = (
            record(0x81) + record(0x94, struct.pack("<4I", 0, len(grid) - 1, 0, 2)) + record(0x91)
        )
        for row, line in enumerate(grid):
            made += record(0x00, struct.pack("<I", row) + bytes(13))
            for column, text in enumerate(line):
                made += record(0x06, struct.pack("<II", column, 0) + wide(text))
        return made + record(0x92) + record(0x82)

    grids = {"Purchases": ((TOP,), (), *rows), "Prose": [(text,) for text in PROSE]}
    book = record(0x83) + record(0x8F)
    for number, name in enumerate(grids, start=1):
        book += record(0x9C, struct.pack("<II", 0, number) + wide(f"rId{number}") + wide(name))
    book += record(0x90) + record(0x84)
    links = "".join(
        f'<Relationship Id="rId{n}" Target="worksheets/sheet{n}.bin" Type="http://schemas.'
        'openxmlformats.org/officeDocument/2006/relationships/worksheet"/>'
        for n in (1, 2)
    )
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    sheets = {
        f"xl/worksheets/sheet{n}.bin": cells(grid) for n, grid in enumerate(grids.values(), 1)
    }
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": (
                f'<Relationships xmlns="{relations}">{links}</Relationships>'
            ),
            **sheets,
        }
    )


def old_sheet(rows: Sequence[Sequence[str]] = ROWS) -> bytes:
    """An XLS of Excel 97 ([MS-XLS], BIFF8): a stream of records in an OLE file."""

    def record(kind: int, data: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def begin(what: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, what, 0, 1997, 0, 6))

    def label(row: int, column: int, text: str) -> bytes:
        raw = text.encode("utf-16-le")
        return record(0x0204, struct.pack("<HHHHB", row, column, 0, len(raw) // 2, 1) + raw)

    grids = {"Purchases": ((TOP,), (), *rows), "Prose": [(text,) for text in PROSE]}
    streams = [
        begin(0x10)
        + b"".join(
            label(row, column, text)
            for row, line in enumerate(grid)
            for column, text in enumerate(line)
        )
        + record(0x0A)
        for grid in grids.values()
    ]

    def globals_(starts: Sequence[int]) -> bytes:
        named = zip(grids, starts, strict=True)
        bounds = (
            record(0x85, struct.pack("<IBBBB", at, 0, 0, len(name), 0) + name.encode())
            for name, at in named
        )
        return begin(0x05) + record(0x42, struct.pack("<H", 1200)) + b"".join(bounds) + record(0x0A)

    size = len(globals_([0, 0]))
    whole = globals_([size, size + len(streams[0])]) + b"".join(streams)
    return Ole({("Workbook",): whole}).bytes()


def slides() -> bytes:
    made = pptx.Presentation()
    for text in PROSE:
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text = TOP
        slide.placeholders[1].text = text
    table = slide.shapes.add_table(
        len(ROWS), len(ROWS[0]), Inches(1), Inches(1), Inches(5), Inches(2)
    ).table
    for number, row in enumerate(ROWS):
        for column, text in enumerate(row):
            table.cell(number, column).text = text
    slide.notes_slide.notes_text_frame.text = NOTE
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


_ODF = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in {"office": "office", "text": "text", "table": "table", "draw": "drawing",
                        "style": "style", "presentation": "presentation"}.items()
)  # fmt: skip


def _odf_rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{escape(text)}</text:p>'
            "</table:table-cell>"
            for text in row
        )
        + "</table:table-row>"
        for row in rows
    )


def opendocument(kind: str, body: str, top: str = "") -> bytes:
    head = f"<office:document-content {_ODF}><office:body><office:{kind}>"
    content = f"{head}{body}</office:{kind}></office:body></office:document-content>"
    styles = (
        f"<office:document-styles {_ODF}><office:master-styles><style:master-page>"
        f"<style:header><text:p>{top}</text:p></style:header></style:master-page>"
        "</office:master-styles></office:document-styles>"
    )
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "META-INF/manifest.xml": "<manifest/>",
            "content.xml": content,
            "styles.xml": styles,
        },
        stored=["mimetype"],
    )


def odt() -> bytes:
    paragraphs = "".join(f"<text:p>{escape(text)}</text:p>" for text in PROSE)
    note = (
        "<text:p>See<text:note><text:note-citation>1</text:note-citation><text:note-body>"
        f"<text:p>{ASIDE}</text:p></text:note-body></text:note> below.</text:p>"
        f"<text:p>.<office:annotation><text:p>{NOTE}</text:p></office:annotation></text:p>"
    )
    return opendocument(
        "text", f"{paragraphs}{note}<table:table>{_odf_rows(ROWS)}</table:table>", TOP
    )


def ods() -> bytes:
    body = f'<table:table table:name="Purchases">{_odf_rows(((TOP,), *ROWS))}</table:table>'
    prose = f'<table:table table:name="Prose">{_odf_rows((text,) for text in PROSE)}</table:table>'
    return opendocument("spreadsheet", body + prose)


def odp() -> bytes:
    pages = "".join(
        f"<draw:page><draw:frame><draw:text-box><text:p>{escape(text)}</text:p></draw:text-box>"
        f"</draw:frame><presentation:notes><text:p>{NOTE}</text:p></presentation:notes></draw:page>"
        for text in PROSE
    )
    return opendocument("presentation", pages)


def epub() -> bytes:
    chapters = {
        f"text/c{n}.xhtml": f"<html><head><title>{TOP}</title></head><body><p>{escape(text)}</p>"
        "</body></html>"
        for n, text in enumerate(PROSE)
    }
    items = "".join(f'<item id="c{n}" href="text/c{n}.xhtml"/>' for n in range(len(PROSE)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(PROSE)))
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfile full-path="OPS/a.opf"/></container>',
            "OPS/a.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
            **{f"OPS/{name}": text for name, text in chapters.items()},
        },
        stored=["mimetype"],
    )


# --- texts with signs of their own ----------------------------------------------------------------


def rtf(prose: Sequence[str] = PROSE, rows: Sequence[Sequence[str]] = ROWS) -> bytes:
    def written(text: str) -> str:
        units = struct.unpack(f"<{len(text.encode('utf-16-le')) // 2}h", text.encode("utf-16-le"))
        return "".join(chr(u) if 31 < u < 127 else f"\\u{u}?" for u in units)

    table = "".join(
        "\\trowd " + "".join(f"\\intbl {written(cell)}\\cell " for cell in row) + "\\row\n"
        for row in rows
    )
    paragraphs = "".join(f"{written(text)}\\par\n" for text in prose)
    head = f"{{\\header {TOP}\\par}}"
    return f"{{\\rtf1\\ansi\\ansicpg1252 {head}{paragraphs}{table}}}".encode("ascii")


def page(prose: Sequence[str] = PROSE, rows: Sequence[Sequence[str]] = ROWS) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in prose)
    return f"<html><head><title>{TOP}</title></head><body>{paragraphs}<table>{cells}</table></body>"


def delimited(rows: Iterable[Sequence[str]] = (*ROWS, *WIDE), by: str = ",") -> bytes:
    def field(text: str) -> str:
        return f'"{text}"' if by in text else text

    return "".join(by.join(map(field, row)) + "\r\n" for row in rows).encode()


def data_xml() -> str:
    rows = "".join(
        f'<row item="{escape(a)}"><quantity>{b}</quantity><price currency="INR">{c}</price></row>'
        for a, b, c in ROWS
    )
    return (
        f'<?xml version="1.0"?><!-- x --><order vendor="{TOP}">{rows}'
        + "".join(f"<term>{escape(text)}</term>" for text in PROSE)
        + "</order>"
    )


def data_json() -> bytes:
    return json.dumps({"vendor": TOP, "terms": PROSE, "rows": ROWS, "at": 1.1000000}).encode()


# --- mail -----------------------------------------------------------------------------------------


def mail(
    body: str = "\n".join(PROSE),
    cte: str | None = None,
    files: Mapping[str, bytes] | None = None,
    html: str | None = None,
    subject: str = SUBJECT,
) -> bytes:
    made = EmailMessage()
    made["From"] = "Asha Rao <asha@example.org>"
    made["To"] = "Büro <office@example.org>"
    made["Date"] = "Wed, 14 Jan 2026 09:30:00 +0530"
    made["Subject"] = subject
    made.set_content(body, cte=cte)
    if html is not None:
        made.add_alternative(html, subtype="html")
    for name, data in (files or {}).items():
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return bytes(made)


def mailbox(*mails: bytes) -> bytes:
    return b"".join(
        b"From asha@example.org Tue Jan 14 09:30:00 2026\n"
        + one.replace(b"\nFrom ", b"\n>From ")
        + b"\n"
        for one in mails
    )


def web_archive() -> bytes:
    made = EmailMessage()
    made["From"] = "<Saved by a browser>"
    made["Subject"] = SUBJECT
    made.set_content(page(), subtype="html")
    made.add_related(b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "image", "png", cid="<p>")
    return bytes(made)


class Ole:
    """A writer of OLE files ([MS-CFB]): streams by their paths. Small ones share a mini stream."""

    END, FREE, FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD

    def __init__(self, streams: Mapping[tuple[str, ...], bytes]) -> None:
        self.sectors = list[bytes]()
        self.fat = list[int]()
        self.mini, self.mini_fat = b"", list[int]()
        self.entries: list[list] = [["Root Entry", 5, [], 0, 0]]
        folders = {(): 0}
        for path, data in streams.items():
            for depth in range(1, len(path)):
                if path[:depth] not in folders:
                    folders[path[:depth]] = self._entry(
                        folders[path[: depth - 1]], path[depth - 1], 1
                    )
            number = self._entry(folders[path[:-1]], path[-1], 2)
            self.entries[number][3:] = [self._stored(data), len(data)]

    def _entry(self, parent: int, name: str, kind: int) -> int:
        self.entries.append([name, kind, [], self.END if kind == 2 else 0, 0])
        self.entries[parent][2].append(len(self.entries) - 1)
        return len(self.entries) - 1

    def _stored(self, data: bytes) -> int:
        if not data:
            return self.END
        if len(data) >= 4096:
            return self._chained(data)
        first, count = len(self.mini_fat), -(-len(data) // 64)
        self.mini_fat += [*range(first + 1, first + count), self.END]
        self.mini += data.ljust(count * 64, b"\0")
        return first

    def _chained(self, data: bytes) -> int:
        first, count = len(self.sectors), -(-len(data) // 512)
        self.sectors += [data[n * 512 :][:512].ljust(512, b"\0") for n in range(count)]
        self.fat += [*range(first + 1, first + count), self.END]
        return first

    def _directory(self) -> bytes:
        written = b""
        right = {a: b for _, _, kids, *_ in self.entries for a, b in itertools.pairwise(kids)}
        for number, (name, kind, kids, start, size) in enumerate(self.entries):
            raw = name.encode("utf-16-le") + b"\0\0"
            written += raw.ljust(64, b"\0") + struct.pack(
                "<HBBIII16sIQQIQ", len(raw), kind, 1, self.FREE, right.get(number, self.FREE),
                kids[0] if kids else self.FREE, b"", 0, 0, 0, start, size,
            )  # fmt: skip
        return written

    def bytes(self) -> bytes:
        if self.mini:
            self.entries[0][3:] = [self._chained(self.mini), len(self.mini)]
        mini_fat = struct.pack(f"<{len(self.mini_fat)}I", *self.mini_fat)
        mini_at = self._chained(mini_fat) if mini_fat else self.END
        directory = self._chained(self._directory())
        tables = 1
        while tables * 128 < len(self.sectors) + tables:
            tables += 1
        first = len(self.sectors)
        fat = self.fat + [self.FAT] * tables
        packed = struct.pack(f"<{len(fat)}I", *fat).ljust(tables * 512, b"\xff")
        places = [*range(first, first + tables)] + [self.FREE] * (109 - tables)
        head = struct.pack(
            "<8s16sHHHHHHLLLLLLLLLL109I", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE,
            9, 6, 0, 0, 0, tables, directory, 0, 4096, mini_at, -(-len(mini_fat) // 512), self.END,
            0, *places,
        )  # fmt: skip
        return head + b"".join(self.sectors) + packed


def _outlook_streams(
    texts: Mapping[str, str], at: tuple[str, ...] = (), head: int = 32
) -> dict[tuple[str, ...], bytes]:
    sent = struct.pack("<IIQ", 0x00390040, 0, 134128530000000000)
    streams = {
        (*at, f"__substg1.0_{tag}001F"): text.encode("utf-16-le") for tag, text in texts.items()
    }
    return {**streams, (*at, "__properties_version1.0"): b"\0" * head + sent}


def outlook(
    body: str = "\r\n".join(PROSE), files: Mapping[str, bytes] | None = None, page: str = ""
) -> bytes:
    texts = {"0C1A": "Asha Rao", "5D01": "asha@example.org", "0E04": "Büro", "0037": SUBJECT}
    streams = _outlook_streams({**texts, "1000": body})
    streams |= _outlook_streams(
        {"39FE": "office@example.org"}, ("__recip_version1.0_#00000000",), 8
    )
    if page:
        streams["__substg1.0_10130102",] = page.encode()
    for number, (name, data) in enumerate((files or {}).items()):
        folder = f"__attach_version1.0_#{number:08X}"
        streams |= _outlook_streams({"3707": name}, (folder,), 8)
        streams[folder, "__substg1.0_37010102"] = data
    inner = ("__attach_version1.0_#000000FF", "__substg1.0_3701000D")
    streams |= _outlook_streams({"3001": "Earlier mail"}, inner[:1], 8)
    streams |= _outlook_streams({"0C1A": "Ravi", "0037": "Earlier", "1000": NOTE}, inner, 24)
    return Ole(streams).bytes()


# --- archives -------------------------------------------------------------------------------------


def tarred(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
