import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ReadError
from worker.read.kinds import HTML, MARKDOWN, PDF, PLAIN, Page, Text, media_type, read_document
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
    assert read(data, "a.txt") == Text((Page(1, HINDI),))


def test_western_text_that_is_not_utf8_is_read_as_windows_1252_and_says_so():
    text = read("Café “naïve” – 5 €, the rest is plain".encode("cp1252"), "a.txt")
    assert text.whole == "Café “naïve” – 5 €, the rest is plain"
    assert text.notes == ("a.txt was read as Windows-1252",)


def test_one_broken_byte_does_not_turn_hindi_into_accented_letters():
    text = read((HINDI * 3).encode() + b"\xe0\xa4", "a.txt")
    assert text.whole == HINDI * 3 + "\N{REPLACEMENT CHARACTER}"
    assert text.notes == ("a.txt: 1 broken characters were replaced",)


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis"])
def test_an_encoding_that_cannot_be_told_is_an_error(encoding):
    words = {"cp1251": "Все люди рождаются свободными", "shift_jis": "すべての人間は自由である"}
    with pytest.raises(ReadError, match=r"a\.txt is text in an unknown encoding") as error:
        read(words[encoding].encode(encoding), "a.txt")
    assert category(error) == "encoding"


def test_bytes_that_windows_1252_does_not_know_are_an_error():
    with pytest.raises(ReadError) as error:
        read(b"a long enough run of plain words \x81", "a.txt")
    assert category(error) == "encoding"


def test_nuls_go_and_every_line_end_becomes_one_newline():
    assert read(b"a\0b\r\nc\rd\n", "a.txt").whole == "ab\nc\nd\n"


def test_nothing_else_is_changed():
    decomposed = "\u0915\u093c \u0958  \u2028 e\u0301\t "
    assert read(decomposed.encode(), "a.txt").whole == decomposed


def test_form_feeds_part_pages():
    text = read(b"one\ftwo\f\fthree", "a.txt")
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


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.PDF", b"", PDF),
        ("noname", b"junk\n%PDF-1.4", PDF),
        ("a.htm", b"<p>x", HTML),
        ("a.md", b"# x", MARKDOWN),
        ("a.csv", b"a,b\n1,2\n", PLAIN),
        ("mail.eml", b"From: x\n\nhello", PLAIN),
        ("README", b"hello", PLAIN),
        ("log.txt", b"\x1b[31mred\x1b[0m", PLAIN),
        ("wide.txt", codecs.BOM_UTF16_LE + "hello".encode("utf-16-le"), PLAIN),
        ("empty.txt", b"", PLAIN),
    ],
)
def test_name_and_first_bytes_tell_the_media_type(name, data, kind):
    assert media_type(name, data) == kind


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\x7fELF\x02\x01\x01\0",
    ],
)
def test_other_binary_files_are_refused_whatever_they_are_called(data):
    with pytest.raises(ReadError, match=r"a\.txt is neither PDF, HTML") as error:
        media_type("a.txt", data)
    assert category(error) == "unsupported"


def test_an_unknown_media_type_is_refused():
    with pytest.raises(ReadError) as error:
        read_document(b"x", "image/png", "a.png")
    assert category(error) == "unsupported"


def test_the_limits_hold_for_text_too():
    with pytest.raises(ReadError, match="3 pages; the limit is 2") as pages:
        read_document(b"a\fb\fc", PLAIN, "a.txt", max_pages=2)
    with pytest.raises(ReadError, match="more than 4 characters") as characters:
        read_document(b"abcde", MARKDOWN, "a.md", max_characters=4)
    assert (category(pages), category(characters)) == ("too_many_pages", "too_much_text")
