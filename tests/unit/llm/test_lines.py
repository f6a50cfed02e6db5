"""Files and lists that come in pieces are never held whole."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.llm.lines import Lines
from worker.llm.openai.inline import Inline


def cut(content: bytes, places: list[int]) -> list[bytes]:
    """The same in pieces."""
    ends = sorted({place % (len(content) + 1) for place in places} | {0, len(content)})
    return [content[a:b] for a, b in pairwise(ends)]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=9))
def test_lines_are_the_same_however_they_are_cut(content, places):
    lines = Lines()
    found = [line for piece in cut(content, places) for line in lines.feed(piece)]
    assert [*found, lines.rest()] == content.split(b"\n")


def test_of_a_line_that_is_too_long_only_the_front_is_held():
    lines = Lines(most=10)
    pieces = [b"short\n" + b"l" * 8, b"ong" * 999, b"\nnext\nla", b"st"]
    found = [line for piece in pieces for line in lines.feed(piece)]
    assert found == [b"short", b"llllllllon", b"next"]
    assert lines.rest() == b"last"


MEMBERS = [{"custom_id": "a", "n": 1}, {"text": 'ä "]}" \\ \n'}, [], "x", 7, None, {"results": []}]
WHOLE = {"id": "b", "n": 17, "results": MEMBERS, "status": "completed", "error": None, "more": [1]}


def read(content: bytes, places: list[int], **options):
    inline = Inline("results", **options)
    found = [member for piece in cut(content, places) for member in inline.feed(piece)]
    found += inline.rest()
    return [json.loads(member) for member in found], inline.fields


@given(
    st.lists(st.integers(0, 300), max_size=20),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.permutations(list(WHOLE)),
)
def test_the_list_in_an_object_is_the_same_however_it_is_cut(places, indent, ascii_only, order):
    whole = {key: WHOLE[key] for key in order}
    content = json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode()
    members, fields = read(content, places)
    assert members == MEMBERS
    assert fields == {key: value for key, value in WHOLE.items() if key != "results"}


@pytest.mark.parametrize("results", [None, [], "none", {"a": 1}])
def test_an_object_without_a_list_has_no_members(results):
    members, fields = read(json.dumps({"results": results, "id": "b"}).encode(), [3, 9])
    assert members == []
    assert fields["id"] == "b"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"id": "b"',
        b'{"results": [{"a": 1}',
        b'{"results": [{"a": 1}, {"a',
        b'{"results": [{"a": nonsense}]}',
        b'{"id": ' + b"[" * 99_999,
    ],
)
def test_what_is_no_whole_object_is_said_to_be_none(content):
    with pytest.raises(ValueError, match="it "):
        read(content, [2, 5])


def test_a_part_that_is_too_long_is_not_held():
    content = json.dumps({"results": [{"a": "x" * 500}]}).encode()
    with pytest.raises(ValueError, match="too long"):
        read(content, list(range(0, 600, 10)), most=100)


def test_the_list_itself_may_be_as_long_as_it_likes():
    members, _ = read(json.dumps({"results": [{"a": n} for n in range(999)]}).encode(),
                      list(range(0, 20_000, 16)), most=100)  # fmt: skip
    assert [member["a"] for member in members] == list(range(999))
