"""Pages that are only to be seen: which they are, how they are shown, and where their text goes."""

import io
from contextlib import suppress
from dataclasses import replace

import pytest
from PIL import Image

from models import kinds
from models.boxes import BOX, PageBoxes
from models.errors import ReadError
from models.kinds import kind_of
from tests import office, scans
from worker.read import mail
from worker.read.kinds import (
    Bounds,
    Gap,
    NeedsOcr,
    Page,
    Scan,
    Text,
    Why,
    read_document,
    scanned_page,
)
from worker.read.ocr import Ocr, show_scan
from worker.read.picture import picture, read
from worker.read.scans import with_scans

LETTER = "Dear Sir or Madam"


def kept(image: Image.Image, form: str, **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("PNG", kinds.PNG),
        ("JPEG", kinds.JPEG),
        ("TIFF", kinds.TIFF),
        ("WEBP", kinds.WEBP),
    ],
)
def test_an_image_is_told_by_its_content_and_is_a_page_to_be_seen(form, kind):
    data = scans.image(form, LETTER)
    assert kind_of("letter.txt", io.BytesIO(data)) == kind
    with pytest.raises(NeedsOcr, match=r"letter\.txt is a picture") as error:
        read_document(data, kind, "letter.txt")
    assert error.value.text == Text(
        (Page(1, ""),), gaps=(Gap(Why.NEEDS_OCR, "1"),), scans=(Scan(1, data, kind, 1),)
    )
    shown = picture(data, "a", 0, 10, 500_000)
    assert abs(shown.width * shown.height - 500_000) < 5_000
    assert shown.getextrema()[0][0] < 100


def test_a_tiff_has_a_page_for_each_of_its_pictures():
    data = scans.image("TIFF", "one", "two", "three", compression="tiff_lzw")
    with pytest.raises(NeedsOcr, match="3 pages are pictures") as error:
        read(data, "fax", Bounds())
    assert [scan.number for scan in error.value.text.scans] == [1, 2, 3]
    assert len({picture(data, "fax", n, 10, 10_000).tobytes() for n in range(3)}) == 3
    with pytest.raises(ReadError, match="3 pages; the limit is 2"):
        read(data, "fax", Bounds(pages=2))


def opened_and_shown(data: bytes) -> None:
    with suppress(NeedsOcr):  # its head is whole
        read(data, "a", Bounds())
    picture(data, "a", 0, 10, 10_000)


@pytest.mark.parametrize("cut", [20, 200, 2000])
def test_a_damaged_image_is_damaged_and_nothing_else(cut):
    for form in ("PNG", "JPEG", "TIFF", "WEBP"):
        with pytest.raises(ReadError) as error:
            opened_and_shown(scans.image(form, LETTER)[:cut])
        assert error.value.category == "damaged", form


def test_an_image_with_too_many_pixels_is_not_decoded():
    data = kept(Image.new("1", (20_000, 20_000)), "PNG")
    with pytest.raises(ReadError, match=r"20,000 x 20,000 pixels; the limit is 100 million"):
        picture(data, "poster.png", 0, 100, 10_000)


def test_pictures_are_shown_upright_on_white_and_in_eight_bits():
    turned = Image.new("RGB", (200, 100), "white")
    exif = turned.getexif()
    exif[0x0112] = 6
    assert picture(kept(turned, "JPEG", exif=exif), "a", 0, 10, 10_000).size == (71, 141)
    clear = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    assert picture(kept(clear, "PNG"), "a", 0, 10, 10_000).getpixel((5, 5)) == (255, 255, 255)
    deep = Image.new("I;16", (100, 100), 32_768)
    assert picture(kept(deep, "PNG"), "a", 0, 10, 10_000).getpixel((5, 5)) == (128, 128, 128)


def test_what_is_attached_to_a_mail_is_to_be_seen_too_unless_it_is_a_logo():
    receipt, logo = scans.image("PNG", LETTER), kept(Image.new("L", (400, 90)), "PNG")
    pages = scans.scanned("one", "two")
    text = mail.read(
        office.mail(files={"logo.png": logo, "r.png": receipt, "s.pdf": pages}), "m.eml", Bounds()
    )
    assert text.gaps == (Gap(Why.NEEDS_OCR, "3-5"),)
    assert [(s.page, s.data, s.number) for s in text.scans] == [
        (3, receipt, 1),
        (4, pages, 1),
        (5, pages, 2),
    ]
    assert text.pages[2].text.strip() == "Attachment: r.png"


SCANNED = Text(
    (Page(1, "A letter."), Page(2, "7"), Page(3, ""), Page(4, ""), Page(5, "")),
    ("it was mended",),
    (Gap(Why.NEEDS_OCR, "2-4"), Gap(Why.UNREADABLE, "5")),
)
UNSURE = Text.of([""], gaps=[Gap(Why.NEEDS_OCR, "1")])


def test_what_ocr_read_takes_its_place_and_the_rest_is_missing_still():
    seen = {
        2: Text.of(["Total 12"], ["3 characters left out"]),
        3: UNSURE,
        4: ReadError("reader_timeout", "a was not read within 60 s"),
    }
    text = with_scans(SCANNED, seen, Ocr.RAPIDOCR)
    assert text.pages[0] == Page(1, "A letter.")
    assert text.pages[1] == Page(2, "7\n\nTotal 12", scanned=True)
    assert text.gaps == (Gap(Why.NEEDS_OCR, "3-4"), Gap(Why.UNREADABLE, "5"))
    assert text.notes == (
        "it was mended",
        "pages 2: read by OCR (rapidocr)",
        "page 2: 3 characters left out",
        "pages 3: OCR (rapidocr) could not make out most of it",
        "page 4: a was not read within 60 s",
    )


def test_boxes_of_what_ocr_read_stand_behind_those_of_what_stood_on_the_page():
    box = BOX.pack(0, 0, 9, 9)
    read = {2: scanned_page("Total 12", boxes=PageBoxes.of(1.0, [(6, 8)], [box]))}
    stamp = PageBoxes.of(1.0, [(0, 1)], [box])
    for own, words in ((stamp, ["7", "12"]), (None, ["12"])):
        pages = (*SCANNED.pages[:1], Page(2, "7", boxes=own), *SCANNED.pages[2:])
        page = with_scans(replace(SCANNED, pages=pages), read, Ocr.RAPIDOCR).pages[1]
        assert page.boxes
        assert [page.text[word.start : word.end] for word in page.boxes] == words


def test_a_page_on_which_nothing_was_found_is_read_and_empty():
    text = with_scans(SCANNED, dict.fromkeys((2, 3, 4), Text.of([""])), Ocr.TESSERACT)
    assert text.gaps == (Gap(Why.UNREADABLE, "5"),)
    assert [page.text for page in text.pages] == ["A letter.", "7", "", "", ""]


def test_what_nobody_looked_at_stays_as_it_is():
    assert with_scans(SCANNED, {}, Ocr.RAPIDOCR) == SCANNED


def test_a_page_for_a_model_is_a_jpeg_and_an_empty_sheet_is_none():
    for data, kind in (
        (scans.scanned("", LETTER), kinds.PDF),
        (scans.image("PNG", LETTER), kinds.PNG),
    ):
        number = 2 if kind == kinds.PDF else 1
        shown = show_scan(data, kind, "a", number=number, megapixels=10)
        [scan] = shown.scans
        assert (shown.whole, scan.media_type) == ("", kinds.JPEG)
        with Image.open(io.BytesIO(scan.data)) as image:
            assert image.width * image.height < 1_700_000
    faint = kept(scans.drawn(LETTER)[0].point([235 + n // 13 for n in range(256)]), "PNG")
    assert show_scan(faint, kinds.PNG, "a", number=1, megapixels=10).scans
    assert show_scan(scans.scanned(""), kinds.PDF, "a", number=1, megapixels=10) == Text.of([""])
