"""A line of the results is one reply, whatever became of it on its way."""

import json

import pytest

from worker.llm.bodies import broken
from worker.llm.engine import Completion, EngineError, Finish, Trouble
from worker.llm.results import lines_of, reply_in

SECRET = "secret-0123456789"


def read(line):
    if "text" not in line:
        raise broken("the answer holds no text", "there")
    return Completion(line["text"], Finish.STOP, 0)


def reply(line):
    content = line if isinstance(line, bytes) else json.dumps(line).encode()
    return reply_in(content, "name", read, "there", SECRET)


def test_a_reply_has_the_name_of_its_request():
    found = reply({"name": "job-1", "text": f"hi {SECRET}"})
    assert (found.name, found.outcome.text) == ("job-1", "hi [key]")


@pytest.mark.parametrize(
    "line",
    [
        {"name": "job-1"},
        b'{"name": "job-1", "text": "cut of',
        b'{"text": "a \\"name\\": \\"job-2\\"", "name" : "job-1", "more": odd}',
    ],
)
def test_a_reply_that_cannot_be_read_is_an_error_of_its_request_alone(line):
    found = reply(line)
    assert found.name == "job-1"
    assert isinstance(found.outcome, EngineError)
    assert found.outcome.trouble is Trouble.SERVER_ERROR


@pytest.mark.parametrize(
    "line",
    [
        {"text": "hi"},
        {"name": ""},
        {"name": 7},
        b'{"name": "cut of',
        b'{"name": "\\x"',
        b"[]",
        b"7",
    ],
)
def test_a_line_without_a_name_is_nobodys(line):
    assert reply(line) is None


def test_a_page_is_no_reply():
    with pytest.raises(EngineError) as caught:
        reply(b"<html>sign in</html>")
    assert caught.value.trouble is Trouble.MISCONFIGURED


async def test_lines_come_without_empty_ones_and_with_the_last():
    async def pieces():
        for piece in (b"a\n\n b", b"b\r\n", b" \nc"):
            yield piece

    assert [line async for line in lines_of(pieces())] == [b"a", b" bb\r", b"c"]
