"""Every kind of document says the same, and is told by what is in it."""

import io
import re
from collections import Counter
from datetime import datetime

import openpyxl
import pytest

from models import kinds
from models.archives import Budget, Left, members
from models.errors import ReadError
from models.kinds import kind_of
from tests import office
from worker.read.kinds import Gap, Text, Why, read_document

PARTS = {
    "prose": " ".join(office.PROSE),
    "rows": " ".join(" ".join(row) for row in office.ROWS),
    "top": office.TOP,
    "note": office.NOTE,
    "aside": office.ASIDE,
    "subject": office.SUBJECT,
}
FILES = {"order.csv": office.delimited(office.ROWS), "note.txt": office.NOTE.encode()}
CORPUS = {
    "a.docx": (kinds.DOCX, office.word(), "prose rows top note"),
    "a.xlsx": (kinds.XLSX, office.sheet(), "prose rows top note"),
    "a.xlsb": (kinds.XLSB, office.binary_sheet(), "prose rows top"),
    "a.xls": (kinds.XLS, office.old_sheet(), "prose rows top"),
    "a.pptx": (kinds.PPTX, office.slides(), "prose rows top note"),
    "a.odt": (kinds.ODT, office.odt(), "prose rows top note aside"),
    "a.ods": (kinds.ODS, office.ods(), "prose rows top"),
    "a.odp": (kinds.ODP, office.odp(), "prose note"),
    "a.epub": (kinds.EPUB, office.epub(), "prose top"),
    "a.rtf": (kinds.RTF, office.rtf(), "prose rows top"),
    "a.html": (kinds.HTML, office.page().encode(), "prose rows top"),
    "a.mht": (kinds.MAIL, office.web_archive(), "prose rows top subject"),
    "a.eml": (kinds.MAIL, office.mail(files=FILES), "prose rows note subject"),
    "html.eml": (kinds.MAIL, office.mail("?", html=office.page()), "prose rows top subject"),
    "a.msg": (kinds.OUTLOOK, office.outlook(files=FILES), "prose rows note subject"),
    "a.csv": (kinds.CSV, office.delimited(office.ROWS), "rows"),
    "a.tsv": (kinds.CSV, office.delimited(office.ROWS, "\t"), "rows"),
    "semicolons.csv": (kinds.CSV, office.delimited(office.ROWS, ";"), "rows"),
    "a.xml": (kinds.XML, office.data_xml().encode(), "prose rows top"),
    "a.json": (kinds.JSON, office.data_json(), "prose rows top"),
    "a.txt": (kinds.PLAIN, "\n".join(office.PROSE).encode(), "prose"),
    "a.md": (kinds.MARKDOWN, "\n".join(office.PROSE).encode(), "prose"),
}
NOTES = {"a.mht": ("1 pictures that the mail shows in its text are not read",)}
TOLD_BY_NAME = {"a.csv", "a.tsv", "semicolons.csv", "a.json", "a.md"}


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\s|\\\"=]+", text))


def read(name: str, data: bytes) -> Text:
    kind = kind_of(name, io.BytesIO(data))
    assert kind is not None
    return read_document(data, kind, name)


def refusal(name: str, data: bytes) -> str:
    with pytest.raises(ReadError) as error:
        read(name, data)
    assert name in str(error.value)
    return error.value.category


@pytest.mark.parametrize("name", CORPUS)
def test_every_word_of_every_kind_is_read(name):
    kind, data, parts = CORPUS[name]
    assert kind_of(name, io.BytesIO(data)) == kind
    text = read(name, data)
    found = words(text.whole)
    for part in parts.split():
        wanted = words(PARTS[part])
        recall = (wanted & found).total() / wanted.total()
        assert recall >= 0.99, (part, wanted - found)
    assert text.notes == NOTES.get(name, ())


@pytest.mark.parametrize("name", CORPUS)
def test_a_kind_is_told_by_what_is_in_a_file_whatever_its_name(name):
    kind, data, _ = CORPUS[name]
    told = kinds.PLAIN if name in TOLD_BY_NAME else kind
    for wrong in ("a", "a.txt", "a.bin", "a.doc"):
        assert kind_of(wrong, io.BytesIO(data)) == told


@pytest.mark.parametrize(
    "name", ["a.docx", "a.xlsx", "a.pptx", "a.odt", "a.html", "a.rtf", "a.csv", "a.tsv"]
)
def test_a_table_is_markdown_with_its_first_row_as_its_header(name):
    assert (
        "\n".join(
            (
                "| Item | Quantity | Price |",
                "|---|---|---|",
                "| Compressor oil | 12 | 1,240.50 |",
                "| Door seal | 3 | 88.00 |",
            )
        )
        in read(name, CORPUS[name][1]).whole
    )


# --- Word -----------------------------------------------------------------------------------------

P = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"


def word(body: str, **parts: str) -> str:
    return read("a.docx", office.word_of(body, **parts)).whole


def test_notes_of_word_follow_the_text_by_their_marks():
    body = '<w:p><w:r><w:t>Rent</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    notes = f'<w:footnote w:id="0" w:type="separator"/><w:footnote w:id="2">{P.format("net")}'
    assert word(body, footnotes=f"{notes}</w:footnote>") == "Rent[^2]\n\n[^2]: net"


def test_what_a_reader_of_word_sees_is_read_and_nothing_else():
    box = f"<mc:AlternateContent><mc:Choice><w:txbxContent>{P.format('box')}</w:txbxContent>"
    box += f"</mc:Choice><mc:Fallback><w:txbxContent>{P.format('box')}</w:txbxContent>"
    body = (
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:r><w:tab/><w:t>one</w:t><w:br/></w:r>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r><w:hyperlink><w:r><w:t>link</w:t></w:r>"
        f"</w:hyperlink><w:r>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
        f"<w:sdt><w:sdtContent>{P.format('control')}</w:sdtContent></w:sdt>"
    )
    assert word(body) == "new\tone\nlink\n\nbox\n\ncontrol"


def test_headers_that_say_the_same_are_read_once():
    data = office.word_of(P.format("body"), header=P.format("Rao"), footer=P.format("page"))
    assert read("a.docx", data).whole == "Rao\n\nbody\n\npage"


# --- sheets ---------------------------------------------------------------------------------------


def test_sheets_are_pages_with_their_names_and_titles_stand_above_their_tables():
    purchases, prose, comments = read("a.xlsx", office.sheet()).pages
    assert purchases.text.startswith(f"# Purchases\n\n{office.TOP}\n\n| Item | Quantity | Price |")
    assert prose.text.startswith(f"# Prose\n\n{office.PROSE[0]}\n")
    assert comments.text == f"# Comments\nA4: {office.NOTE}"


def test_numbers_and_moments_are_written_as_they_are_kept():

    book = openpyxl.Workbook()
    book.active.append(["n", 1200.5, 3, 0.1 + 0.2, True, datetime(2026, 1, 14), -7])
    book.active.append(["m", 1, 1, 1, False, datetime(2026, 1, 14, 9, 30), 1])
    buffer = io.BytesIO()
    book.save(buffer)
    *_, head, _, row = read("a.xlsx", buffer.getvalue()).whole.splitlines()
    assert head == "| n | 1200.5 | 3 | 0.3 | TRUE | 2026-01-14 | -7 |"
    assert row == "| m | 1 | 1 | 1 | FALSE | 2026-01-14 09:30:00 | 1 |"


# --- data -----------------------------------------------------------------------------------------


def test_json_keeps_its_order_and_digits_and_loses_its_escapes():
    data = b'{"b": "\\u0905 \\u0040 \\"x\\"", "a": [1.10, 1E400, {"b": null}]}'
    assert read("a.json", data).whole == (
        '{\n  "b": "अ @ "x"",\n  "a": [\n    1.10,\n    1E400,'
        '\n    {\n      "b": null\n    }\n  ]\n}'
    )


def test_every_escape_of_json_is_written_out_once():
    data = rb'{"a": "one\ntwo\tthree C:\\new\\u0041 \/ \ud83d\ude00"}'
    assert read("a.json", data).whole == (
        '{\n  "a": "one\ntwo\tthree C:\\new\\u0041 / \N{GRINNING FACE}"\n}'
    )


@pytest.mark.parametrize("data", [b'{"a": 1}', b"[1, 2", b'{"a": "\\u00', rb'{"a": "\d"'])
def test_json_that_is_readable_or_none_is_left_as_it_stands(data):
    assert read("a.json", data).whole == data.decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (rb"{'a': '\u0905'}", "{'a': 'अ'}"),
        (rb'{"a": "x\u0040y",}', '{"a": "x@y",}'),
        (b'{"a": "x\\u0040y"}\n{broken', '{"a": "x@y"}\n{broken'),
        (rb'{a: "\x40 \u{40} it\'s"}', '{a: "@ @ it\'s"}'),
    ],
)
def test_what_is_no_json_loses_its_escapes_and_nothing_else(data, said):
    assert read("a.json", data).whole == said


def test_xml_is_a_line_an_element_with_entities_written_out():
    data = b'<?xml version="1.0"?><a><b c="1">x &#64; y</b>tail<d/></a>'
    assert read("a.xml", data).whole == 'a\n  b c="1": x @ y\ntail\n  d'


def test_what_is_no_well_formed_xml_is_left_as_it_stands_and_noted():
    text = read("a.xml", b'<?xml version="1.0"?><a><b>')
    assert text.whole == '<?xml version="1.0"?><a><b>'
    assert text.notes == ("a.xml is no well-formed XML and was read as it stands",)
    assert read("a.xml", b'<?xml version="1.0"?><a>x&#64;y&nbsp;z').whole.endswith("x@y\u00a0z")


# --- parts that are listed and not there ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part", "called"),
    [
        ("a.epub", "OPS/text/c1.xhtml", "chapter"),
        ("a.pptx", "ppt/slides/slide2.xml", "slide"),
    ],
)
def test_a_page_that_is_listed_and_not_in_the_file_is_missing(name, part, called):
    text = read(name, office.without(CORPUS[name][1], part))
    assert len(text.pages) == 3
    assert office.PROSE[1] not in text.whole
    assert office.PROSE[2] in text.pages[2].text
    assert text.gaps == (Gap(Why.UNREADABLE, "2"),)
    assert text.notes == (f"{called}s 2 are listed and not in {name}",)


@pytest.mark.parametrize(
    ("name", "part"), [("a.epub", "OPS/text/c{}.xhtml"), ("a.pptx", "ppt/slides/slide{}.xml")]
)
def test_a_file_without_any_of_its_pages_is_damaged(name, part):
    parts = [part.format(n) for n in range(4)]
    assert refusal(name, office.without(CORPUS[name][1], *parts)) == "damaged"


# --- hostile neighbours ---------------------------------------------------------------------------

PACKAGES = [name for name in CORPUS if name.rpartition(".")[2] in
            ("docx", "xlsx", "pptx", "odt", "ods", "odp", "epub")]  # fmt: skip
MAIN = {
    "a.docx": "word/document.xml",
    "a.xlsx": "xl/workbook.xml",
    "a.pptx": "ppt/presentation.xml",
    "a.odt": "content.xml",
    "a.ods": "content.xml",
    "a.odp": "content.xml",
    "a.epub": "OPS/a.opf",
}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_bomb_of_every_package_is_refused_before_it_is_unpacked(name):
    bomb = office.repacked(CORPUS[name][1], {MAIN[name]: b" " * (64 << 20)})
    assert len(bomb) < 1 << 20
    assert refusal(name, bomb) == "damaged"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_whose_main_part_is_broken_or_missing_is_damaged(name):
    for broken in (b"", b"<a><b>", b"\xff\xfe\0"):
        assert refusal(name, office.repacked(CORPUS[name][1], {MAIN[name]: broken})) == "damaged"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_truncated_package_is_damaged_or_an_archive_that_is(name):
    data = CORPUS[name][1]
    for share in (0.3, 0.7, 0.95):
        cut = data[: int(len(data) * share)]
        kind = kind_of(name, io.BytesIO(cut))
        if kind == kinds.ZIP:
            (left,) = members(io.BytesIO(cut), kind, name, Budget(1 << 20))
            assert isinstance(left, Left)
            assert left.category == "damaged"
        else:
            assert refusal(name, cut) == "damaged"


def test_entities_that_grow_are_refused():
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "0123456789">{entities}]><a>&e9;</a>'
    assert refusal("a.docx", office.repacked(office.word(), {MAIN["a.docx"]: bomb})) == "damaged"
    assert len(read("a.xml", bomb.encode()).whole) == len(bomb)  # as it stands, never expanded


def test_nothing_outside_is_fetched(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    body = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>'
    assert "secret</" not in read("a.xml", body.encode()).whole
    assert refusal("a.docx", office.repacked(office.word(), {MAIN["a.docx"]: body})) == "damaged"


def test_deep_nesting_is_damage_and_no_crash():
    deep = "<w:sdt>" * 50_000 + "</w:sdt>" * 50_000
    assert refusal("a.docx", office.word_of(deep)) == "damaged"
    assert (
        refusal("a.xml", b"<?xml version='1.0'?>" + b"<a>" * 50_000 + b"</a>" * 50_000) == "damaged"
    )
    assert read("a.json", b"[" * 50_000 + b"\\u0041").whole.startswith("[[[")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.odt", office.repacked(office.odt(), {"META-INF/manifest.xml": "<encryption-data/>"})),
        ("a.docx", office.Ole({("EncryptedPackage",): b"x" * 5000}).bytes()),
    ],
)
def test_locked_documents_say_that_they_need_a_password(name, data):
    assert refusal(name, data) == "needs_password"


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ("WordDocument", "application/msword"),
        ("PowerPoint Document", "application/vnd.ms-powerpoint"),
        ("Workbook", kinds.XLS),
        ("other", "application/x-ole-storage"),
    ],
)
def test_the_old_office_kinds_are_told_apart(stream, kind):
    data = office.Ole({(stream,): b"x" * 5000}).bytes()
    assert kind_of("a.doc", io.BytesIO(data)) == kind


def test_an_excel_97_file_that_is_damaged_says_so():
    assert refusal("a.xls", office.Ole({("Workbook",): b"x" * 5000}).bytes()) == "damaged"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + b"a" * 500, "image/jpeg"),
        (b"II*\0" + b"a" * 500, "image/tiff"),
        (b"\x7fELF\x02\x01\x01\0" + bytes(99), None),
        (bytes(range(256)) * 40, None),
    ],
)
def test_what_is_no_document_is_told_too(data, kind):
    assert kind_of("a.txt", io.BytesIO(data)) == kind
