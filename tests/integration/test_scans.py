"""Scans, page by page in child processes: what OCR reads, and what a page that kills it costs."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from uuid import uuid4

import pytest

from models.config import LimitsConfig
from models.errors import ReadError
from models.kinds import MAIL, PDF, PNG, TIFF
from models.words import INGEST, Stage
from tests import office, scans
from tests.factories import a_config, a_learned
from tests.fakes import FakeDatabase
from tests.pdfs import LETTER, picture
from tests.rows import Connection, add_batch, add_unread
from tests.statements import Worker, as_json, run
from worker.ingest.chunk import chunk
from worker.ingest.jobs import ingest
from worker.ingest.stage import _Pages
from worker.read.kinds import Gap, Text, Why, scanned_page
from worker.read.ocr import Ocr, here
from worker.read.sandbox import Limits, Reader
from worker.read.scans import DocumentReader, OcrPages, make_reader

LIMITS = Limits(wall_s=20, cpu_s=20, memory_bytes=1 << 30)
SHORT = Limits(wall_s=1, cpu_s=20, memory_bytes=1 << 30)


def look(data: bytes, media_type: str, name: str, *, number: int, deadly: int = 0) -> Text:
    """The OCR under test in the children: it reads the number of a page, and dies of one."""
    if number == deadly:
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "slow" and number == 2:
        time.sleep(60)
    return Text.of([f"page {number} of {media_type}"])


def reader(deadly: int = 0, limits: Limits = LIMITS) -> DocumentReader:
    pages = OcrPages(Ocr.RAPIDOCR, Reader(1, limits), 1, partial(look, deadly=deadly))
    return DocumentReader(Reader(1, LIMITS), pages, "", LimitsConfig())


async def test_pages_with_text_stay_as_they_are_and_only_the_others_are_looked_at():
    with reader() as documents:
        text = await documents.read(picture(210, 150, text=LETTER, pages=3), PDF, "deed.pdf")
    assert text.pages[0].text.split() == LETTER.split()
    assert [page.scanned for page in text.pages] == [False, True, True]
    assert [page.text for page in text.pages[1:]] == [f"page {n} of {PDF}" for n in (2, 3)]
    assert text.gaps == ()


async def test_a_page_that_kills_its_reader_is_missing_and_the_others_are_read():
    with reader(deadly=2) as documents:
        text = await documents.read(scans.image("TIFF", "a", "b", "c"), TIFF, "fax")
    assert [page.text for page in text.pages] == [f"page 1 of {TIFF}", "", f"page 3 of {TIFF}"]
    assert text.gaps == (Gap(Why.NEEDS_OCR, "2"),)
    assert text.notes[-1] == "page 2: fax: its reader process died of signal 11"


async def test_a_page_that_takes_too_long_is_missing_and_the_others_are_read():
    with reader(limits=SHORT) as documents:
        text = await documents.read(picture(210, 250, pages=3), PDF, "slow")
    assert text.gaps == (Gap(Why.NEEDS_OCR, "2"),)
    assert text.notes[-1] == "page 2: slow was not read within 1 s"


class Kept:
    """Keeps pages in memory."""

    document = 7

    def __init__(self) -> None:
        self.pages = dict[int, Text]()

    async def known(self) -> dict[int, Text]:
        return dict(self.pages)

    async def keep(self, page: int, text: Text) -> None:
        self.pages[page] = text


async def test_pages_that_were_read_before_are_not_read_again():
    kept = Kept()
    data = picture(210, 250, pages=3)
    with reader(deadly=2) as documents:
        await documents.read(data, PDF, "deed.pdf", kept)
    assert set(kept.pages) == {1, 3}
    with reader(deadly=1) as documents:
        text = await documents.read(data, PDF, "deed.pdf", kept)
    assert [page.text for page in text.pages] == [f"page {n} of {PDF}" for n in (1, 2, 3)]
    assert text.gaps == ()


def test_pages_are_kept_while_their_document_is_leased_and_until_it_is_read(db: Connection):
    [document] = add_unread(db, add_batch(db))
    first, second = Worker(db), Worker(db)
    assert first.take(INGEST) == [document]
    keep(db, document, first, "Total 12")
    keep(db, document, first, "again")
    keep(db, document, second, "not mine")
    first.release([document], Stage.INGEST)
    keep(db, document, first, "not mine any more", page=2)
    assert second.take(INGEST) == [document]
    [row] = run(db, "ingest/scanned_pages", id=document)
    assert row == {"page": 1, "text": "Total 12", "notes": ["a note"]}
    failure = {"id": document, "state": "needs_ocr", "kills": 0, "delay_s": None, "error": {}}
    run(db, "ingest/fail", rows=as_json([failure]), owner=second.owner)
    assert run(db, "ingest/scanned_pages", id=document) == []


def keep(db: Connection, document: int, worker: Worker, text: str, page: int = 1) -> None:
    given = {"page": page, "text": text, "notes": ["a note"]}
    run(db, "ingest/keep_page", id=document, owner=worker.owner, **given)


async def test_a_page_comes_back_from_postgres_as_it_was_kept():
    rows = dict[int, dict]()

    def kept(given: dict) -> list:
        rows.setdefault(given["page"], {k: given[k] for k in ("page", "text", "notes")})
        return []

    db = FakeDatabase(ingest__keep_page=kept, ingest__scanned_pages=lambda _: list(rows.values()))
    pages = _Pages(db, 7, uuid4())  # type: ignore[arg-type]
    read = {1: scanned_page("Total 12", ["a note"]), 2: scanned_page(""), 3: scanned_page(None)}
    for number, text in read.items():
        await pages.keep(number, text)
    assert await pages.known() == read


async def test_scans_that_are_attached_are_read_from_what_holds_them():
    mail = office.mail(files={"a.png": scans.image("PNG", "x"), "b.pdf": scans.scanned("y", "z")})
    with reader() as documents:
        text = await documents.read(mail, MAIL, "m.eml")
    assert [page.text for page in text.pages[1:]] == [
        f"Attachment: a.png\n\npage 1 of {PNG}",
        f"Attachment: b.pdf\n\npage 1 of {PDF}",
        f"page 2 of {PDF}",
    ]
    assert text.gaps == ()


async def test_where_no_page_could_be_read_the_document_needs_ocr_and_says_why():
    with reader(deadly=1) as documents, pytest.raises(ReadError) as error:
        await documents.read(picture(210, 250), PDF, "deed.pdf")
    assert error.value.category == "needs_ocr"
    assert str(error.value) == (
        "deed.pdf: its page shows pictures, or letters that its fonts do not name; "
        "page 1: deed.pdf: its reader process died of signal 11"
    )


@pytest.mark.parametrize(
    ("ocr", "why"), [("off", "OCR is off"), ("auto", r"pip install 'docmill\[ocr\]'")]
)
async def test_without_ocr_the_document_says_what_helps(ocr, why, monkeypatch):
    monkeypatch.setattr("worker.read.scans.here", set)
    documents = make_reader(a_config(reading={"ocr": ocr}), 1)
    with documents, pytest.raises(ReadError, match=why) as error:
        await documents.read(scans.image("PNG", "a"), PNG, "a.png")
    assert error.value.category == "needs_ocr"


PRIVATE = "The holder is registered under ABCPE1234F in the books of the branch."


@pytest.fixture(params=list(Ocr))
def real(request: pytest.FixtureRequest) -> Iterator[DocumentReader]:
    """Each OCR that this machine has, within the limits that it has by default."""
    if request.param not in here():
        pytest.skip(f"{request.param} is not on this machine")
    with make_reader(a_config(reading={"ocr": request.param}), 1) as documents:
        yield documents


async def test_a_private_sentence_is_read_from_a_scan_and_pinned(real):
    for data, kind in (
        (scans.scanned(PRIVATE), PDF),
        (scans.image("PNG", PRIVATE), PNG),
        (scans.image("TIFF", LETTER, PRIVATE), TIFF),
    ):
        text = await real.read(data, kind, "card")
        assert text.pages[-1].text.split() == PRIVATE.split()
        assert pins(text, patterns=["pan"]) == {"pan, scan"}
        assert pins(text, patterns=["pan"], scans=False) == {"pan"}


def pins(text: Text, **pin: object) -> set[str | None]:
    made = ingest(
        "card",
        text,
        chunk(text, 600),
        (),
        local_only=False,
        config=a_config(pin=pin),
        learned=a_learned(),
    )
    return {row["pinned"] for row in made.chunks}


async def test_an_empty_sheet_is_read_and_empty(real):
    text = await real.read(scans.image("PNG", ""), PNG, "blank")
    assert (text.whole, text.gaps) == ("", ())
