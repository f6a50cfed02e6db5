"""What a Message Batch is told, and what it says."""

import json
from datetime import UTC, datetime

import pytest

from tests.factories import a_request
from worker.llm.anthropic.batch_replies import answer_in, batch_in, page_in, requests_of
from worker.llm.anthropic.batches import AnthropicBatches
from worker.llm.anthropic.dialect import Dialect
from worker.llm.anthropic.replies import completion
from worker.llm.batches import Bounds, Item, Order, Progress
from worker.llm.engine import EngineError, Message, Trouble

KEY = "sk-ant-very-secret-0123456789"
COUNTS = {"processing": 0, "succeeded": 3, "errored": 1, "canceled": 2, "expired": 4}
BATCH = {
    "id": "msgbatch_1",
    "processing_status": "ended",
    "request_counts": COUNTS,
    "created_at": "2026-11-28T12:00:00Z",
}
MESSAGE = {
    "type": "message",
    "model": "m-1",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 7, "output_tokens": 3},
}


def batch(**changes):
    return batch_in(json.dumps({**BATCH, **changes}).encode(), "there", KEY)


def error_of(read, *args):
    with pytest.raises(EngineError) as caught:
        read(*args)
    return caught.value


def test_requests_are_those_that_would_be_sent_at_once():
    schema = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}}}
    items = [Item(f"job-{n}", a_request(max_tokens=n, schema=schema)) for n in (1, 2)]
    found = json.loads(requests_of(Order("order-1", items), Dialect(), "there"))
    body = Dialect().body
    assert found == {
        "requests": [{"custom_id": one.name, "params": body(one.request)} for one in items]
    }


def test_a_text_that_cannot_be_encoded_is_a_bad_request():
    items = [Item("job-1", a_request(messages=(Message("user", "a\ud800b"),)))]
    error = error_of(requests_of, Order("order-1", items), Dialect(), "there")
    assert (error.trouble, error.maybe_billed) == (Trouble.BAD_REQUEST, False)


def test_a_batch_holds_no_more_than_is_taken():
    assert AnthropicBatches.bounds == Bounds(requests=100_000, bytes=250_000_000)


@pytest.mark.parametrize(
    ("changes", "progress", "requests"),
    [
        ({}, Progress(ended=True, done=10), 10),
        ({"processing_status": "canceling"}, Progress(ended=False, done=10), 10),
        ({"request_counts": {"processing": 5}}, Progress(ended=True), 5),
        ({"processing_status": "in_progress", "request_counts": None}, Progress(ended=False), 0),
        ({"request_counts": {"succeeded": "3", "errored": -1}}, Progress(ended=True), 0),
        ({"processing_status": "something new"}, Progress(ended=False, done=10), 10),
    ],
)
def test_how_far_a_batch_has_come(changes, progress, requests):
    found = batch(**changes)
    assert (found.progress, found.requests) == (progress, requests)


@pytest.mark.parametrize("created", ["2026-11-28T12:00:00Z", "2026-11-28T12:00:00",
                                     "2026-11-28T17:30:00.5+05:30"])  # fmt: skip
def test_when_it_was_begun_is_a_moment(created):
    moment = batch(created_at=created).created
    assert moment.replace(microsecond=0) == datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize("created", ["yesterday", None, 7])
def test_when_it_was_begun_may_be_unknown(created):
    assert batch(created_at=created).created is None


@pytest.mark.parametrize("content", [b"{}", b'{"id": ""}', b'{"id": "a"}', b"[]", b"{"])
def test_what_describes_no_batch_is_a_broken_answer(content):
    error = error_of(batch_in, content, "there")
    assert (error.trouble, error.maybe_billed) == (Trouble.SERVER_ERROR, True)


@pytest.mark.parametrize(
    ("more", "after"), [({}, None), ({"has_more": False}, None), ({"has_more": True}, "b")]
)
def test_a_page_says_after_which_batch_the_next_begins(more, after):
    content = json.dumps({"data": [{**BATCH, "id": "a"}, {**BATCH, "id": "b"}], **more}).encode()
    page = page_in(content, "there")
    assert ([one.id for one in page.batches], page.next) == (["a", "b"], after)


def test_an_empty_page_is_the_last():
    assert page_in(b'{"data": [], "has_more": true}', "there").next is None
    assert error_of(page_in, b"{}", "there").trouble is Trouble.SERVER_ERROR


def test_an_answer_is_the_one_that_a_call_made_at_once_would_have_had():
    at_once = completion(json.dumps(MESSAGE).encode(), {}, 0, "there", KEY)
    assert answer_in({"result": {"type": "succeeded", "message": MESSAGE}}, "there") == at_once


@pytest.mark.parametrize(
    ("result", "trouble", "words"),
    [
        ({"type": "expired"}, Trouble.UNAVAILABLE, "before it came to this request (expired)"),
        ({"type": "canceled"}, Trouble.UNAVAILABLE, "(canceled)"),
        (
            {"type": "errored", "error": {"type": "error", "error": {
                "type": "invalid_request_error", "message": "prompt is too long: 210000 tokens"}}},
            Trouble.CONTEXT_EXCEEDED,
            "prompt is too long",
        ),
        (
            {"type": "errored", "error": {"type": "error", "error": {
                "type": "invalid_request_error", "message": "messages: odd"}}},
            Trouble.BAD_REQUEST,
            "messages: odd",
        ),
        (
            {"type": "errored", "error": {"type": "error", "error": {
                "type": "api_error", "message": f"Internal server error {KEY}"}}},
            Trouble.SERVER_ERROR,
            "Internal server error [key]",
        ),
        ({"type": "errored"}, Trouble.SERVER_ERROR, "no text"),
    ],
)  # fmt: skip
def test_a_request_that_came_to_nothing_says_why_and_is_not_billed(result, trouble, words):
    error = error_of(answer_in, {"result": result}, "there", KEY)
    assert (error.trouble, error.maybe_billed) == (trouble, False)
    assert words in str(error)


@pytest.mark.parametrize("line", [{}, {"result": 7}, {"result": {"type": "succeeded"}}])
def test_a_reply_without_an_answer_is_broken_and_may_be_billed(line):
    error = error_of(answer_in, line, "there")
    assert (error.trouble, error.maybe_billed) == (Trouble.SERVER_ERROR, True)
