"""How well a page was read: what is lost, what makes no sense, and whose reading is taken."""

import pytest

from worker.read.kinds import Gap, Text, Why, gaps, ranges
from worker.read.pdf import needs_ocr
from worker.read.reading import (
    DOUBT,
    Reading,
    Sheet,
    better,
    contradicts,
    is_before_unicode,
    reading,
)
from worker.read.second import spelt

HINDI = "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है । " * 2
ENGLISH = "All human beings are born free and equal in dignity and rights. They are endowed."


@pytest.mark.parametrize(
    ("text", "kept", "lost"),
    [
        ("plain\n text\t.", "plain\n text\t.", 0),
        ("con\x03fi\x1bdential", "confidential", 2),
        ("a\x85b\ufffec\ufdd0", "abc", 3),
        ("ligature ﬁ, तक़\u200d, 日本", "ligature ﬁ, तक़\u200d, 日本", 0),
    ],
)
def test_control_codes_are_left_out_and_counted_and_nothing_else_is(text, kept, lost):
    assert reading(text, 0) == Reading(kept, lost)


def test_what_fonts_have_no_letter_for_counts_among_what_is_seen():
    assert Reading("ab c", 1).share_lost == 0.25
    assert Reading("", 4).share_lost == 1
    assert Reading("").share_lost == 0


@pytest.mark.parametrize(
    ("text", "lost", "doubtful"),
    [
        (ENGLISH, 0, False),
        (HINDI, 0, False),
        ("लैंड के साथ क्षतिग्रस्त", 0, False),
        (ENGLISH, 2, True),
        ("ाकृ ितक आपदा ीलंड", 0, True),  # signs whose letters were lost
        ("Total \ue001\ue002 12", 0, True),
        ("Total \ufffd 12", 0, True),
    ],
)
def test_a_page_is_doubtful_where_letters_are_lost_or_make_no_sense(text, lost, doubtful):
    assert (Reading(text, lost).doubt > DOUBT) is doubtful


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        (ENGLISH, "hi-IN", True),
        (ENGLISH, "en", False),
        (ENGLISH, None, False),
        (ENGLISH, "", False),
        (HINDI, "hi", False),
        (HINDI, "MR-in", False),
        (HINDI, "ta", True),
        ("fee", "hi", False),  # too few letters to tell
    ],
)
def test_letters_may_contradict_the_language_that_a_file_names(text, language, found):
    assert contradicts(Reading(text), language) is found


@pytest.mark.parametrize(
    ("second", "first", "language", "taken"),
    [
        (Reading(HINDI, 0), Reading(HINDI, 5), None, True),
        (Reading(HINDI, 4), Reading(HINDI, 5), None, False),  # hardly better: the first stays
        (Reading(HINDI * 9, 5), Reading(HINDI * 9, 14), None, False),  # a sign here and there
        (Reading("", 0), Reading(HINDI, 5), None, False),
        (Reading(HINDI[:20], 0), Reading(HINDI, 5), None, False),
        (Reading(HINDI, 0), Reading(ENGLISH, 0), "hi", True),
        (Reading("", 0), Reading(ENGLISH, 0), "hi", False),
        (Reading(ENGLISH, 0), Reading(ENGLISH, 0), "hi", False),
    ],
)
def test_a_second_reading_is_taken_where_it_is_clearly_better(second, first, language, taken):
    assert better(second, first, language) is taken


STAMP = Reading("Page 1 of 3")
ENVELOPE = "Signed electronically, envelope 6F1B3F1C-7E6C-4B0A-9C1E-2B7A3D4E5F60"


def test_what_another_reader_read_is_no_stamp():
    first = Sheet(Reading(ENVELOPE), picture=0.9, drawn=True, written=0.004)
    assert not needs_ocr(first.read_as(Reading(ENGLISH)))


@pytest.mark.parametrize(
    ("sheet", "wanted"),
    [
        (Sheet(Reading(ENGLISH)), False),
        (Sheet(Reading(ENGLISH), picture=1.0, drawn=True), False),
        (Sheet(Reading("")), False),  # an empty page
        (Sheet(Reading(""), drawn=True), True),  # outlines, or a picture
        (Sheet(STAMP, picture=0.9, drawn=True), True),
        (Sheet(STAMP, picture=0.1, drawn=True), False),
        (Sheet(STAMP), False),
        (Sheet(Reading("Figure 3 ....... 7"), drawn=True), False),
        (Sheet(Reading('"7+%-'), drawn=True), True),  # letters that a font calls others'
        (Sheet(Reading(""), filled=("name: Asha Rao",), picture=0.1, drawn=True), False),
        (Sheet(Reading(""), filled=("Approved 3/4",), picture=0.9, drawn=True), True),
        (Sheet(Reading(ENVELOPE), picture=0.9, drawn=True, written=0.004), True),
        (Sheet(Reading(ENVELOPE), filled=("by: A",), picture=0.9, drawn=True, written=0.0), True),
        (Sheet(Reading(ENVELOPE), picture=0.4, drawn=True, written=0.004), False),
        (Sheet(Reading(ENVELOPE), picture=0.9, drawn=True, written=0.05), False),  # a slide
        (Sheet(Reading("a" * 70, 30)), False),
        (Sheet(Reading("a" * 69, 31)), True),
    ],
)
def test_a_page_needs_ocr_where_more_is_to_be_seen_than_read(sheet, wanted):
    assert needs_ocr(sheet) is wanted


KRUTI = ("ABCDEF+KrutiDev010",) * 5


@pytest.mark.parametrize(
    ("sheet", "old"),
    [
        (Sheet(Reading('lHkh euq";ksa dks xkSjo'), fonts=KRUTI), True),
        (Sheet(Reading('lHkh euq";ksa'), fonts=(*KRUTI, "Arial")), True),
        (Sheet(Reading(ENGLISH), fonts=("Arial", "Arial", "Kruti Dev 010")), False),
        (Sheet(Reading(HINDI), fonts=KRUTI), False),  # a later one of that name
        (Sheet(Reading(ENGLISH)), False),
    ],
)
def test_a_font_from_before_unicode_says_other_letters_than_it_draws(sheet, old):
    assert is_before_unicode(sheet) is old
    assert needs_ocr(sheet) is old


def test_missing_pages_are_told_by_their_reason_as_people_write_them():
    assert ranges([]) == ""
    assert ranges([1, 3, 4, 5, 9, 10]) == "1, 3-5, 9-10"
    missing = {2: Why.NEEDS_OCR, 4: Why.UNREADABLE, 1: Why.NEEDS_OCR}
    assert gaps(missing) == (Gap(Why.NEEDS_OCR, "1-2"), Gap(Why.UNREADABLE, "4"))
    assert gaps({}) == Text.of(["a"]).gaps == ()


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("a", "a"),
        ("/", "/"),
        ("/eacute", "é"),
        ("/uni0915094D0937", "क्ष"),
        ("/uni093F.71", "ि"),
        ("/u1F600", "😀"),
        ("/f_f_i", "ffi"),
        ("/T_h.liga", "Th"),
        ("/g131", "\ufdd0"),
        ("/rect", "\ufdd0"),
        ("/_", "\ufdd0"),
        ("/u110000", "\U0010ffff"),
    ],
)
def test_the_name_of_a_glyph_spells_its_letters_or_is_lost(name, letters):
    assert spelt(name) == letters
