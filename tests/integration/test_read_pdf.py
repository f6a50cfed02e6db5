"""PDF reading, with small files made here and, where they are, the public odd ones."""

import asyncio
import logging
from collections import Counter
from pathlib import Path

import pytest
from fpdf import FPDF

from models.errors import ReadError
from models.kinds import PDF
from worker.read.kinds import Text
from worker.read.pdf import read
from worker.read.sandbox import Limits, Reader

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "pdfs"


def made(*pages: str, password: str | None = None, owner: str | None = None) -> bytes:
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    if owner:
        pdf.set_encryption(owner_password=owner, user_password=password)
    for text in pages:
        pdf.add_page()
        pdf.multi_cell(w=0, text=text)
    return bytes(pdf.output())


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
    assert error.category == "encrypted"
    assert str(error) == "deed.pdf needs a password: save a copy without one"


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", b"no PDF at all", b"%PDF-1.4\n%%EOF\n"])
def test_what_holds_no_pages_is_damaged(data):
    error = refused(data)
    assert error.category == "damaged"
    assert str(error).startswith("deed.pdf is a damaged PDF (")


def test_a_file_without_its_last_lines_is_rebuilt_and_says_so():
    data = made("Still here.")
    text = read(data[: data.rindex(b"startxref")], "deed.pdf")
    assert text.whole == "Still here."
    assert "the file is damaged and was rebuilt" in text.notes[0]


def test_one_unreadable_page_costs_only_itself():
    data = made("First.", "Second.", "Third.")
    text = read(break_page(data, 2), "deed.pdf")
    assert [page.text for page in text.pages] == ["First.", "", "Third."]
    assert text.notes[0].startswith("page 2 could not be read: ")


def test_a_file_with_no_readable_page_is_damaged():
    assert refused(break_page(made("Only."), 1)).category == "damaged"


def break_page(data: bytes, number: int) -> bytes:
    """The number-th content stream names a filter of the same length that does not exist."""
    parts = data.split(b"/FlateDecode")
    return (
        b"/FlateDecode".join(parts[:number])
        + b"/FlateDecodX"
        + b"/FlateDecode".join(parts[number:])
    )


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


def test_what_pypdf_logs_becomes_notes_and_leaves_the_log_alone(caplog):
    data = made("Words.").replace(b"startxref\n", b"startxref\n9")
    text = read(data, "deed.pdf")
    assert text.whole == "Words."
    assert any("startxref" in note for note in text.notes)
    assert caplog.records == []
    assert logging.getLogger("pypdf").propagate


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
async def test_every_public_pdf_ends_in_text_or_a_typed_error():
    """88 files with every oddity on record: none hangs, none ends in an untyped error."""
    with Reader(2, Limits(wall_s=60)) as reader:
        files = sorted(SHARED.glob("*.pdf"))
        ends = dict(zip(files, await asyncio.gather(*(end(reader, f) for f in files)), strict=True))
    kinds = Counter(ends.values())
    assert set(kinds) <= {"text", "no text", "encrypted", "damaged"}
    assert kinds["text"] >= 55
    sure = ("plain__", "big__", "nda__", "script__", "rotated__", "form__pdfjs")
    assert {ends[file] for file in files if file.name.startswith(sure)} == {"text"}


async def end(reader: Reader, file: Path) -> str:
    try:
        text = await reader.read(file.read_bytes(), PDF, file.name)
    except ReadError as error:
        return error.category
    assert isinstance(text, Text)
    text.whole.encode()
    assert "\0" not in text.whole
    return "text" if text.whole.strip() else "no text"
