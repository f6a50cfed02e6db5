"""PDF reading, with small files made here and, where they are, the public odd ones."""

import asyncio
import logging
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image

from models.boxes import Word
from models.errors import ReadError
from models.kinds import PDF
from tests.pdfs import LETTER, break_page, made, picture
from worker.ingest.chunk import chunk
from worker.read import pdfium, second
from worker.read.kinds import Gap, Text, Why
from worker.read.pdf import read
from worker.read.reading import Damaged
from worker.read.sandbox import Limits, Reader

INDIC = Path(__file__).parents[2] / ".." / "shared" / "data" / "indic_text"
SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "pdfs"


def refused(data: bytes, **limits: int) -> ReadError:
    with pytest.raises(ReadError) as error:
        read(data, "deed.pdf", **limits)
    return error.value


def test_each_page_keeps_its_number_and_text():
    text = read(made("First page.", "", "Third page."), "deed.pdf")
    assert [(page.number, page.text) for page in text.pages] == [
        (1, "First page."),
        (2, ""),
        (3, "Third page."),
    ]
    assert text.notes == ()


def test_a_file_locked_with_an_empty_password_is_read():
    assert read(made("Open.", owner="o"), "deed.pdf").whole == "Open."


def test_a_file_that_needs_a_password_says_so():
    error = refused(made("Shut.", password="u", owner="o"))
    assert error.category == "needs_password"
    assert str(error) == "deed.pdf needs a password"


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", b"no PDF at all", b"%PDF-1.4\n%%EOF\n"])
def test_what_holds_no_pages_is_damaged(data):
    error = refused(data)
    assert error.category == "damaged"
    assert str(error).startswith("deed.pdf is a damaged PDF (")


def test_a_file_without_its_last_lines_is_read_all_the_same():
    data = made("Still here.")
    assert read(data[: data.rindex(b"startxref")], "deed.pdf").whole == "Still here."


def test_a_file_that_pdfium_does_not_open_is_tried_with_pypdf_and_says_so(monkeypatch):
    def damaged(data: bytes) -> None:
        raise Damaged("bad trailer")

    monkeypatch.setattr(pdfium, "Document", damaged)
    text = read(made("Still here.", ""), "deed.pdf")
    assert text.whole.strip() == "Still here."
    assert text.notes == ("it is damaged (bad trailer) and was read as far as it goes",)
    assert refused(made("Shut.", password="u", owner="o")).category == "needs_password"
    assert refused(b"no PDF").category == "damaged"


def test_one_unreadable_page_costs_only_itself_and_is_said_to_be_missing():
    text = read(break_page(made("First.", "Second.", "Third."), 2), "deed.pdf")
    assert [page.text for page in text.pages] == ["First.", "", "Third."]
    assert text.gaps == (Gap(Why.UNREADABLE, "2"),)
    assert text.notes[0].startswith("page 2 could not be read: ")


def test_a_file_with_no_readable_page_is_damaged():
    assert refused(break_page(made("Only."), 1)).category == "damaged"


def test_pictures_without_text_need_ocr_and_the_message_says_how_many_pages():
    error = refused(picture(210, 250, pages=3))
    assert error.category == "needs_ocr"
    assert str(error) == (
        "deed.pdf: 3 of its 3 pages show pictures, or letters that its fonts do not name"
    )


def test_a_stamp_on_a_scan_is_not_its_text():
    assert refused(picture(210, 250, text="Page 1 of 9")).category == "needs_ocr"


ENVELOPE = "Signed electronically, envelope ID: 6F1B3F1C-7E6C-4B0A-9C1E-2B7A3D4E5F60"


def scanned(*, size: int = 8, box: str = "") -> bytes:
    """A page that is a picture, with a line of a signing service and perhaps a text box on it."""
    pdf = FPDF()
    pdf.set_margin(0)
    pdf.add_page()
    pdf.image(Image.new("L", (20, 30), 200), x=0, y=0, w=210, h=297)
    pdf.set_font("helvetica", size=size)
    pdf.multi_cell(w=0, text=ENVELOPE)
    if box:
        pdf.free_text_annotation(box, x=20, y=40, w=60, h=10)
    return bytes(pdf.output())


def test_the_line_of_a_signing_service_or_a_text_box_on_a_scan_is_not_its_text():
    assert refused(scanned()).category == "needs_ocr"
    assert refused(scanned(box="Approved 3/4")).category == "needs_ocr"


def test_large_letters_on_a_picture_are_a_slide():
    text = read(scanned(size=30), "deed.pdf")
    assert ("".join(text.whole.split()), text.gaps) == (ENVELOPE.replace(" ", ""), ())


def test_a_logo_on_an_empty_page_is_no_scan():
    text = read(picture(30, 10), "deed.pdf")
    assert (text.whole, text.gaps) == ("", ())


def test_a_file_of_which_some_pages_need_ocr_is_read_but_for_them():
    text = read(picture(210, 150, text=LETTER, pages=3), "deed.pdf")
    assert text.pages[0].text.split() == LETTER.split()
    assert text.gaps == (Gap(Why.NEEDS_OCR, "2-3"),)


def test_an_empty_page_is_neither_a_scan_nor_missing():
    text = read(made("", ""), "deed.pdf")
    assert (text.whole.strip(), text.gaps) == ("", ())


def test_what_is_filled_in_and_attached_is_read_or_said_to_be_there():
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.multi_cell(w=0, text="Application")
    pdf.free_text_annotation("Paid on 4 May", x=20, y=40, w=60, h=10)
    pdf.text_annotation(x=20, y=60, text="is this right?")
    pdf.embed_file(bytes=b"a,b", basename="items.csv")
    text = read(bytes(pdf.output()), "deed.pdf")
    assert text.whole == "Application\n\nPaid on 4 May"
    assert text.notes == (
        "1 attached files are not read: items.csv",
        "1 comments beside the text are not read",
    )


def test_words_that_are_parted_at_a_lines_end_keep_their_hyphen_and_line():
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.text(20, 20, "a well com-")
    pdf.text(20, 26, "piled list")
    assert read(bytes(pdf.output()), "deed.pdf").whole == "a well com-\npiled list"


def placed(*words: tuple[float, float, str], turn: int = 0) -> bytes:
    """A page with words at these places in mm, written in this order; with a turn in degrees they
    are written sideways, on a page that is turned back for people."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", size=11)
    with pdf.rotation(turn, x=105, y=148):
        for x, y, text in words:
            pdf.text(x, y, text)
    data = bytes(pdf.output())
    return data.replace(b"/Type /Page\n", b"/Type /Page\n/Rotate %d\n" % turn) if turn else data


TABLE = tuple(
    (x, y, text)
    for y, row in zip(
        (30, 36, 42),
        (
            ("Description", "Qty", "Amount"),
            ("Task chair", "10", "7,250.00"),
            ("Desk lamp with clamp", "6", "111.00"),
        ),
        strict=True,
    )
    for x, text in zip((20, 90, 120), row, strict=True)
)
COLUMNS = """\
Garden care

Description           Qty  Amount
Task chair            10   7,250.00
Desk lamp with clamp  6    111.00

Thank you."""


def test_a_table_keeps_its_columns_apart_in_whatever_order_it_was_written():
    for table in (TABLE, sorted(TABLE)):
        text = read(placed((20, 20, "Garden care"), *table, (20, 60, "Thank you.")), "bill.pdf")
        assert [line for line in text.whole.split("\n") if line] == [
            line for line in COLUMNS.split("\n") if line
        ]
        for piece in chunk(text, 12):
            assert piece.text == text.whole[piece.char_start : piece.char_end]


def test_addresses_side_by_side_are_read_one_after_the_other():
    addresses = [
        (x, y, line)
        for x, lines in ((20, ("Acme Ltd", "12 High Street")), (110, ("Beta Ltd", "4 Low Road")))
        for y, line in zip((30, 36), lines, strict=True)
    ]
    text = read(placed(*addresses), "bill.pdf").whole
    assert text.split("\n") == ["Acme Ltd", "12 High Street", "Beta Ltd", "4 Low Road"]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_columns_are_those_that_people_see_however_their_page_is_turned(turn):
    table = [(x, y + 100, text) for x, y, text in TABLE]
    text = read(placed(*table, turn=turn), "bill.pdf").whole
    assert text.split("\n") == COLUMNS.split("\n")[2:5]


def boxes(text: Text) -> dict[str, Word]:
    """By what each word of a page says, where it stands."""
    [page] = text.pages
    assert page.boxes
    return {page.text[word.start : word.end]: word for word in page.boxes}


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_each_word_has_the_box_in_which_people_see_it_however_its_page_is_turned(turn):
    by_columns = [(20, 20, "Garden care"), *sorted(TABLE), (20, 60, "Thank you.")]
    words = [(x, y + 100, text) for x, y, text in by_columns]
    text = read(placed(*words, turn=turn), "bill.pdf")
    seen = boxes(text)
    assert list(seen) == text.whole.split()
    rows = [["Description", "Qty", "Amount"], ["Task", "chair", "10"], ["Desk", "lamp", "6"]]
    for row, below in pairwise(rows):
        words = [seen[word] for word in row]
        assert [word.right < other.left for word, other in pairwise(words)] == [True, True]
        assert len({word.top for word in words}) == 1
        assert words[0].bottom <= seen[below[0]].bottom
    assert seen["Qty"].left == seen["10"].left == seen["6"].left
    assert text.pages[0].boxes.ratio == pytest.approx(297 / 210 if turn % 180 else 210 / 297, 0.01)


def test_a_word_stands_where_it_was_written():
    word = boxes(read(placed((20, 30, "Invoice")), "bill.pdf"))["Invoice"]
    assert word.left == pytest.approx(20 / 210, abs=0.003)
    assert word.top < 29 / 297 < word.bottom < 33 / 297


def test_parts_of_a_parted_word_have_a_box_each_and_what_is_filled_in_has_none():
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.text(20, 20, "a com-")
    pdf.text(20, 26, "piled list")
    pdf.free_text_annotation("Paid", x=20, y=40, w=60, h=10)
    text = read(bytes(pdf.output()), "deed.pdf")
    seen = boxes(text)
    assert (list(seen), text.whole.split()[-1]) == (["a", "com-", "piled", "list"], "Paid")
    assert seen["com-"].bottom < seen["piled"].bottom


def test_codes_without_a_letter_are_left_out_counted_and_not_invented():
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.multi_cell(w=0, text=LETTER)
    data = bytes(pdf.output())
    whole = read(data, "deed.pdf").whole
    assert whole.split() == LETTER.split()


def test_the_page_limit_is_an_error_not_a_cut():
    data = made("a", "b", "c")
    assert len(read(data, "deed.pdf", max_pages=3).pages) == 3
    error = refused(data, max_pages=2)
    assert error.category == "too_many_pages"
    assert str(error) == "deed.pdf has 3 pages; the limit is 2: split the document"


def test_the_character_limit_is_an_error_not_a_cut():
    data = made("abcde", "fghij")
    assert len(read(data, "deed.pdf", max_characters=10).pages) == 2
    assert refused(data, max_characters=9).category == "too_much_text"


def test_what_pypdf_logs_leaves_the_log_alone(caplog):
    data = made("Words.").replace(b"startxref\n", b"startxref\n9")
    document = second.Document(data)
    sheet = document.sheet(0, 100)
    assert sheet is not None
    assert sheet.reading.text == "Words."
    assert caplog.records == []
    assert logging.getLogger("pypdf").propagate


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
async def test_every_public_pdf_ends_in_text_or_a_typed_error():
    """88 files with every oddity on record: none hangs, none ends in an untyped error."""
    with Reader(2, Limits(wall_s=60)) as reader:
        files = sorted(SHARED.glob("*.pdf"))
        ends = dict(zip(files, await asyncio.gather(*(end(reader, f) for f in files)), strict=True))
    kinds = Counter(ends.values())
    assert set(kinds) <= {
        "text", "partly", "no text", "needs_ocr", "needs_password", "unsupported", "damaged",
    }  # fmt: skip
    assert kinds["text"] >= 45
    sure = ("nda__", "script__udhr", "rotated__", "form__pdfjs__prefilled")
    assert {ends[file] for file in files if file.name.startswith(sure)} == {"text"}
    scans = [file for file in files if file.name.startswith(("receipt__", "scan__ocrmypdf"))]
    assert {ends[file] for file in scans} == {"needs_ocr"}


@pytest.mark.skipif(not INDIC.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize("language", ["hin", "kan", "ben", "mal"])
def test_indian_scripts_come_out_as_they_were_written(language):
    text = read((SHARED / f"script__udhr_{language}.pdf").read_bytes(), "udhr.pdf").whole
    found = Counter(text.split())
    written = Counter((INDIC / f"udhr_{language}.txt").read_text("utf-8").split())
    assert (found & written).total() >= 0.97 * written.total()


async def end(reader: Reader, file: Path) -> str:
    try:
        text = await reader.read(file.read_bytes(), PDF, file.name)
    except ReadError as error:
        return error.category
    assert isinstance(text, Text)
    text.whole.encode()
    assert "\0" not in text.whole
    if not text.whole.strip():
        return "no text"
    return "partly" if text.gaps else "text"
