import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.terminal import one_line, plain, to_json, visible

ANYTHING = st.text(st.characters(), max_size=40) | st.text(
    "\x1b\x9b\x07\r\n\t\x7f\udce9a[", max_size=9
)


def codes(text: str) -> set[str]:
    """What a terminal would obey or a stream could not encode."""
    return {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cs")}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("a\rb\x08c\x7f", r"a\rb\x08c\x7f"),
        ("caf\udce9", r"caf\udce9"),
        ("a\tb\nc", "a\tb\nc"),
        ("पुणे ₹ é 😀", "पुणे ₹ é 😀"),
    ],
)
def test_a_control_code_is_shown_and_not_sent(text, shown):
    assert visible(text) == shown


@given(ANYTHING)
def test_no_text_steers_a_terminal_or_fails_to_be_printed(text):
    assert codes(visible(text)) <= {"\t", "\n"}
    assert codes(one_line(text)) <= {"\t"}
    visible(text).encode("utf-8")


@given(st.dictionaries(ANYTHING, ANYTHING))
def test_json_is_exact_and_holds_no_code_either(value):
    said = to_json(value)
    assert json.loads(said) == value
    assert codes(said) == set()


def test_json_keeps_letters_as_people_read_them():
    assert to_json({"city": "पुणे"}) == '{"city": "पुणे"}'


@given(ANYTHING)
def test_a_plain_stream_shows_what_is_written_to_it(text):
    beneath = io.StringIO()
    stream = plain(beneath)
    assert stream.write(text) == len(text)
    stream.flush()
    assert beneath.getvalue() == visible(text)
    assert not stream.isatty()
