import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ReadError
from models.kinds import MARKDOWN, PLAIN
from worker.read.kinds import Bounds, Page, Text, read_document
from worker.read.plain import read

HINDI = "सभी मनुष्यों को गौरव और अधिकार प्राप्त हैं।"


def category(error: pytest.ExceptionInfo[ReadError]) -> str:
    return error.value.category


@pytest.mark.parametrize(
    "data",
    [
        HINDI.encode(),
        codecs.BOM_UTF8 + HINDI.encode(),
        codecs.BOM_UTF16_LE + HINDI.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + HINDI.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + HINDI.encode("utf-32-le"),
    ],
)
def test_unicode_is_read_with_and_without_a_byte_order_mark(data):
    assert read(data, "a.txt", Bounds()) == Text((Page(1, HINDI),))


def test_western_text_that_is_not_utf8_is_read_as_windows_1252_and_says_so():
    text = read("Café “naïve” – 5 €, the rest is plain".encode("cp1252"), "a.txt", Bounds())
    assert text.whole == "Café “naïve” – 5 €, the rest is plain"
    assert text.notes == ("a.txt was read as Windows-1252, a guess",)


def test_one_broken_byte_does_not_turn_hindi_into_accented_letters():
    text = read((HINDI * 3).encode() + b"\xe0\xa4", "a.txt", Bounds())
    assert text.whole == HINDI * 3 + "\N{REPLACEMENT CHARACTER}"
    assert text.notes == ("a.txt: 1 broken characters were replaced",)


RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах."
JAPANESE = "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1251", RUSSIAN),
        ("koi8_r", RUSSIAN),
        ("cp866", RUSSIAN),
        ("cp932", JAPANESE),
        ("euc_jp", JAPANESE),
        ("gb18030", "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。"),
        ("big5hkscs", "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心。"),
        ("cp949", "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."),
        ("cp1253", "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια."),
        ("cp1256", "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق."),
    ],
)
def test_an_encoding_that_nothing_names_is_guessed_and_the_guess_is_said(encoding, words):
    text = read(words.encode(encoding), "a.txt", Bounds())
    assert text.whole == words
    assert text.notes == (f"a.txt was read as {encoding}, a guess",)


def test_encodings_of_seven_bits_are_known_by_their_escape_codes():
    for encoding in ("iso2022_jp", "iso2022_jp_2"):
        assert read(JAPANESE.encode(encoding), "a.txt", Bounds()) == Text((Page(1, JAPANESE),))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_needs_no_mark(encoding):
    assert read("Rent: 1,200 €, monthly".encode(encoding), "a.txt", Bounds()).whole == (
        "Rent: 1,200 €, monthly"
    )


def test_what_is_text_in_no_encoding_is_an_error():
    with pytest.raises(ReadError, match=r"a\.txt is text in an unknown encoding") as error:
        read(bytes(range(128, 256)) * 20, "a.txt", Bounds())
    assert category(error) == "encoding"


def test_nuls_go_and_every_line_end_becomes_one_newline():
    assert read(b"a\0b\r\nc\rd\n", "a.txt", Bounds()).whole == "ab\nc\nd\n"


def test_nothing_else_is_changed():
    decomposed = "\u0915\u093c \u0958  \u2028 e\u0301\t "
    assert read(decomposed.encode(), "a.txt", Bounds()).whole == decomposed


def test_form_feeds_part_pages():
    text = read(b"one\ftwo\f\fthree", "a.txt", Bounds())
    assert [page.text for page in text.pages] == ["one", "two", "", "three"]
    assert text.whole == "one\n\ntwo\n\n\n\nthree"


def test_halves_of_surrogate_pairs_are_joined_or_replaced():
    assert Text.of(["\ud83d\ude42 \ud83d"]).whole == "🙂 \N{REPLACEMENT CHARACTER}"


@given(st.lists(st.text("ab\n ", min_size=1, max_size=9), min_size=1, max_size=5), st.data())
def test_a_range_is_on_the_pages_that_hold_its_ends(pages, data):
    text = Text.of(pages)
    first = data.draw(st.integers(0, len(pages) - 1))
    last = data.draw(st.integers(first, len(pages) - 1))
    start = text.starts[first]
    end = text.starts[last] + len(text.pages[last].text)
    assert text.pages_of(start, end) == (first + 1, last + 1)


def test_an_empty_range_is_on_the_page_where_it_stands():
    text = Text.of(["", "", "x"])
    assert [text.pages_of(start, start) for start in text.starts] == [(1, 1), (2, 2), (3, 3)]


def test_an_unknown_media_type_is_refused():
    with pytest.raises(ReadError) as error:
        read_document(b"x", "image/gif", "a.gif")
    assert category(error) == "unsupported"


def test_the_limits_hold_for_text_too():
    with pytest.raises(ReadError, match="3 pages; the limit is 2") as pages:
        read_document(b"a\fb\fc", PLAIN, "a.txt", max_pages=2)
    with pytest.raises(ReadError, match="more than 4 characters") as characters:
        read_document(b"abcde", MARKDOWN, "a.md", max_characters=4)
    assert (category(pages), category(characters)) == ("too_many_pages", "too_much_text")
