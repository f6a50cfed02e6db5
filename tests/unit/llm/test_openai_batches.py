"""What the batch APIs that speak of chat completions take and say."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from worker.llm.batches import Item, Order, Progress
from worker.llm.engine import Completion, EngineError, Finish, Message, Request, Trouble, Usage
from worker.llm.openai.batch_replies import (
    Listed,
    as_lines,
    as_object,
    begun_by,
    is_older,
    page_in,
    progress_in,
    reply_in,
)
from worker.llm.openai.batches import OpenAIBatches, OpenRouterBatches
from worker.llm.openai.dialect import Dialect
from worker.llm.openai.errors import status_error
from worker.llm.openai.replies import completion

KEY = "sk-very-secret-0123456789"
SCHEMA = {"type": "object", "properties": {"b": {}, "a": {}}, "required": ["b", "a"]}
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def a_request(**changes):
    return Request(**{"model_name": "m", "messages": (Message("user", "Grüße\nan alle"),),
                      "max_tokens": 9, "context_tokens": 4096, **changes})  # fmt: skip


def an_order(count=2):
    return Order("order-1", [Item(f"job-{n}", a_request(schema=SCHEMA)) for n in range(count)])


ANSWER = {
    "model": "m-2026",
    "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "cost": 0.002},
}


def told(response=None, error=None, **more):
    """The outcome of a line of the results."""
    line = {"id": "r", "custom_id": "job-1", "response": response, "error": error, **more}
    reply = reply_in(json.dumps(line).encode(), "there", KEY)
    assert reply.name == "job-1"
    return reply.outcome


def answered(status, body):
    return told({"status_code": status, "request_id": "x", "body": body})


# --- what is handed in ----------------------------------------------------------------------------


def test_a_line_of_a_file_holds_what_would_be_sent_at_once():
    rows = [json.loads(line) for line in as_lines(an_order(), Dialect()).splitlines()]
    body = Dialect().body(a_request(schema=SCHEMA))
    assert rows == [
        {
            "custom_id": f"job-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": body,
        }
        for n in range(2)
    ]
    properties = rows[0]["body"]["response_format"]["json_schema"]["schema"]["properties"]
    assert list(properties) == ["b", "a"], "models answer in the order of a schema"


def test_the_same_in_one_object_has_the_requests_last():
    found = json.loads(as_object(an_order(), Dialect()))
    assert list(found) == ["endpoint", "model", "completion_window", "requests"]
    assert (found["endpoint"], found["model"]) == ("/v1/chat/completions", "m")
    body = Dialect().body(a_request(schema=SCHEMA))
    assert found["requests"] == [{"custom_id": f"job-{n}", "body": body} for n in range(2)]


def test_what_calls_have_learnt_of_a_model_counts_for_batches():
    dialect = Dialect()
    dialect.refusals.add(a_request(), "max_tokens")
    assert b'"max_completion_tokens":9' in as_lines(an_order(), dialect)
    assert b'"max_tokens"' not in as_object(an_order(), dialect)


def test_a_batch_holds_no_more_than_its_provider_takes():
    assert (OpenAIBatches.bounds.requests, OpenRouterBatches.bounds.requests) == (50_000, 5_000)
    assert OpenAIBatches.bounds.bytes == OpenRouterBatches.bounds.bytes == 190_000_000


# --- how far it has come --------------------------------------------------------------------------

COUNTS = {"total": 9, "completed": 3, "failed": 1}


@pytest.mark.parametrize(
    ("state", "progress"),
    [
        ({"status": "validating"}, Progress(ended=False)),
        ({"status": "in_progress", "request_counts": COUNTS}, Progress(ended=False, done=4)),
        ({"status": "finalizing", "request_counts": COUNTS}, Progress(ended=False, done=4)),
        ({"status": "cancelling", "request_counts": COUNTS}, Progress(ended=False, done=4)),
        ({"status": "completed", "request_counts": COUNTS}, Progress(ended=True, done=4)),
        ({"status": "expired", "request_counts": COUNTS}, Progress(ended=True, done=4)),
        ({"status": "cancelled", "request_counts": COUNTS}, Progress(ended=True, done=4)),
        ({"status": "something new"}, Progress(ended=False)),
        ({}, Progress(ended=False)),
        ({"status": "completed", "request_counts": None}, Progress(ended=True)),
        ({"status": "completed", "request_counts": {"completed": "3"}}, Progress(ended=True)),
        ({"status": "completed", "error": {"message": "of one"}}, Progress(ended=True)),
    ],
)
def test_how_far_a_batch_has_come(state, progress):
    assert progress_in(state) == progress


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"errors": {"data": [{"message": "Enqueued token limit reached"}]}}, "Enqueued token "),
        ({"errors": {"data": [{"message": "a"}, {"message": "b"}, {"message": "a"}]}}, "a; b"),
        ({"error": {"message": "No endpoints support batch"}}, "No endpoints support batch"),
        ({"errors": {"data": [{"message": "a\x1b[31m\x00\nb"}]}}, "a [31m b"),
        ({"errors": {"data": [{"message": f"key {KEY}"}]}}, "key [key]"),
        ({"errors": {"data": [{"message": "x" * 9999}]}}, "x" * 499 + "…"),
        ({"errors": {"data": [None, {}, 7]}}, "gave no reason"),
        ({"errors": "odd"}, "gave no reason"),
        ({}, "gave no reason"),
    ],
)
def test_why_a_batch_was_refused_is_one_short_line_without_the_key(more, why):
    progress = progress_in({"status": "failed", **more}, KEY)
    assert progress.ended
    assert why in progress.refused
    assert len(progress.refused) <= 500
    assert progress.refused.isprintable()


def test_a_hundred_errors_of_one_batch_are_told_by_the_first_few():
    errors = [{"message": f"line {n} is odd"} for n in range(100)]
    refused = progress_in({"status": "failed", "errors": {"data": errors}}).refused
    assert refused == "; ".join(f"line {n} is odd" for n in range(5))


# --- what became of a request ---------------------------------------------------------------------


def test_an_answer_is_the_one_that_a_call_made_at_once_would_have_had():
    at_once = completion(json.dumps(ANSWER).encode(), {}, 0, "there", KEY)
    assert answered(200, ANSWER) == at_once
    assert at_once.usage == Usage(7, None, 3, None)
    assert at_once.reported_cost_usd == Decimal("0.002")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "messages must not be odd", "code": "x"}}),
        (400, {"error": {"message": "maximum context length is 8 tokens"}}),
        (400, {"error": {"message": "content management policy", "code": "content_filter"}}),
        (401, {"error": {"message": f"bad {KEY}", "code": "invalid_api_key"}}),
        (404, {"error": {"message": "no such model", "code": "model_not_found"}}),
        (429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}),
        (429, {"error": {"message": "no money", "code": "insufficient_quota"}}),
        (500, {"error": {"message": "oops"}}),
        (503, "a text"),
        (502, None),
    ],
)
def test_a_refusal_is_the_one_that_a_call_made_at_once_would_have_had(status, body):
    found, at_once = answered(status, body), status_error(status, body, {}, "there", KEY)
    assert isinstance(found, EngineError)
    for what in ("trouble", "status", "maybe_billed"):
        assert getattr(found, what) == getattr(at_once, what)
    assert str(found) == str(at_once)
    assert KEY not in str(found)


EXPIRED = "This request could not be executed before the completion window expired."


@pytest.mark.parametrize(
    ("error", "trouble", "billed"),
    [
        ({"code": "batch_expired", "message": EXPIRED}, Trouble.UNAVAILABLE, False),
        ({"code": None, "message": EXPIRED}, Trouble.UNAVAILABLE, False),
        ({"code": "batch_cancelled", "message": "x"}, Trouble.UNAVAILABLE, False),
        ({"type": "x", "message": "The batch was cancelled"}, Trouble.UNAVAILABLE, False),
        ({"code": "request_timeout", "message": "x"}, Trouble.TIMEOUT, True),
        ({"type": "x", "error_type": "rate_limit_exceeded"}, Trouble.RATE_LIMITED, False),
        ({"type": "x", "error_type": "provider_overloaded"}, Trouble.RATE_LIMITED, False),
        ({"type": "x", "error_type": "provider_unavailable"}, Trouble.UNAVAILABLE, False),
        ({"type": "x", "error_type": "payment_required"}, Trouble.QUOTA, False),
        ({"type": "x", "error_type": "authentication"}, Trouble.AUTH, False),
        ({"type": "x", "error_type": "context_length_exceeded"}, Trouble.CONTEXT_EXCEEDED, False),
        ({"type": "x", "error_type": "max_tokens_exceeded"}, Trouble.MODEL_UNFIT, False),
        ({"type": "x", "error_type": "content_policy_violation"}, Trouble.CONTENT_FILTER, True),
        ({"type": "invalid_request", "message": "odd"}, Trouble.BAD_REQUEST, False),
        (
            {"type": "invalid_request", "message": "prompt is too long for it"},
            Trouble.CONTEXT_EXCEEDED,
            False,
        ),
        ({"type": "server", "message": "oops"}, Trouble.SERVER_ERROR, True),
        ({"type": "unheard of"}, Trouble.SERVER_ERROR, True),
        ("a text", Trouble.SERVER_ERROR, True),
        (None, Trouble.SERVER_ERROR, True),
    ],
)
def test_a_request_without_a_response_has_an_error(error, trouble, billed):
    found = told(None, error)
    assert isinstance(found, EngineError)
    assert (found.trouble, found.maybe_billed) == (trouble, billed)


@pytest.mark.parametrize(
    "response",
    [
        {"status_code": 0, "body": ANSWER},
        {"status_code": None, "body": ANSWER},
        {"status_code": "200", "body": ANSWER},
        {"status_code": 700, "body": ANSWER},
        {"body": ANSWER},
        {"status_code": 200, "body": None},
        {"status_code": 200, "body": "text"},
        {"status_code": 200, "body": {"choices": []}},
        {"status_code": 200, "body": {"error": {"code": 502, "message": "upstream"}}},
        "odd",
        [],
    ],
)
def test_a_response_that_is_none_may_be_on_the_bill(response):
    found = told(response)
    assert isinstance(found, EngineError)
    assert (found.trouble, found.maybe_billed) == (Trouble.SERVER_ERROR, True)


def test_an_answer_counts_though_an_error_stands_beside_it():
    found = told({"status_code": 200, "body": ANSWER}, {"code": "odd"})
    assert isinstance(found, Completion)
    assert (found.text, found.finish) == ("hi", Finish.STOP)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b'{"custom_id": "job-1", "response": {"status_code": 200, "bo', "job-1"),
        (b'{"id": "x", "custom_id" : "job \\"1\\" \\u00e4", "resp', 'job "1" ä'),
        (b'{"id": "x", "response": {"body": "\\"custom_id\\": \\"job-2\\""', None),
        (b'{"id": "x", "custom_id": "job-', None),
        (b'{"id": "x", "custom_id": "job \\q", "resp', None),
        (b'{"id": "x", "custom_id": "job \xff", "resp', None),
        (b'{"custom_id": "' + b"j" * 9_999 + b'", "resp', None),
        (b'{"custom_id": "job-1", "response": ' + b"[" * 99_999, "job-1"),
        (b'{"custom_id": "job-1", "response": ' + b"[" * 700 + b"]" * 700 + b"}", "job-1"),
        (b'{"custom_id": 7, "response": null}', None),
        (b'{"custom_id": ""}', None),
        (b'{"response": null}', None),
        (b"{", None),
        (b"[]", None),
    ],
)
def test_a_broken_line_is_an_error_of_its_request_or_nobodys(line, name):
    reply = reply_in(line, "there", KEY)
    assert (reply and reply.name) == name
    if reply:
        assert isinstance(reply.outcome, EngineError)
        assert (reply.outcome.trouble, reply.outcome.maybe_billed) == (Trouble.SERVER_ERROR, True)


def test_a_page_in_place_of_the_results_is_no_line_of_them():
    with pytest.raises(EngineError) as caught:
        reply_in(b"<!DOCTYPE html>", "there")
    assert caught.value.trouble is Trouble.MISCONFIGURED


def test_no_answer_repeats_the_key():
    choice = {"message": {"content": f"it is {KEY}"}, "finish_reason": "stop"}
    assert answered(200, {**ANSWER, "choices": [choice]}).text == "it is [key]"


# --- which batches are ours -----------------------------------------------------------------------


def listed(remote, *, seconds=0.0, name=None, model=None, requests=2, metadata=None):
    metadata = {"docmill": name} if name else metadata or {}
    return Listed(remote, NOW + timedelta(seconds=seconds), metadata, model, requests)


@pytest.mark.parametrize(
    ("batches", "ours"),
    [
        ([listed("a", name="order-1"), listed("b", name="order-2")], ["a"]),
        ([listed("b", name="order-1"), listed("a", name="order-1")], ["b", "a"]),
        ([listed("a", name="order-1", requests=7)], ["a"]),
        ([listed("a", name="order-1", seconds=-59)], ["a"]),
        ([listed("a", name="order-1", seconds=-61)], []),
        # where no metadata is kept, what looks like it
        ([listed("a"), listed("b", seconds=-61)], ["a"]),
        ([listed("a", requests=3), listed("b", requests=0), listed("c")], ["c", "b"]),
        ([listed("a", model="other"), listed("b", model="m")], ["b"]),
        # where it is kept, others are not ours
        ([listed("a"), listed("b", name="order-1")], ["b"]),
        ([listed("a", metadata={"theirs": "x"})], []),
        ([listed("a", name="order-2")], []),
        ([Listed("a", None, {}, None, 2)], []),
        ([Listed("a", None, {"docmill": "order-1"}, None, 2)], ["a"]),
    ],
)
def test_the_batches_of_an_order_are_those_of_its_name_or_those_like_it(batches, ours):
    assert begun_by(an_order(), NOW, batches) == ours


def test_an_order_of_which_nothing_is_left_is_found_by_its_name_alone():
    batches = [listed("a", model="m"), listed("b", name="order-1")]
    assert begun_by(Order("order-1", []), NOW, batches) == ["b"]
    assert begun_by(Order("order-2", []), NOW, batches) == []


def test_the_list_is_read_back_to_a_minute_before_the_order():
    assert not is_older(listed("a", seconds=-60), NOW)
    assert is_older(listed("a", seconds=-61), NOW)
    assert not is_older(Listed("a", None, {}, None, 0), NOW)


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"id": "a", "created_at": 1795867200}, Listed("a", NOW, {}, None, 0)),
        ({"id": "a", "created_at": "2026-11-28T12:00:00Z"}, Listed("a", NOW, {}, None, 0)),
        ({"id": "a", "created_at": "2026-11-28 12:00:00"}, Listed("a", NOW, {}, None, 0)),
        ({"id": "a", "created_at": "soon"}, Listed("a", None, {}, None, 0)),
        ({"id": "a", "created_at": 1795867200.0}, Listed("a", NOW, {}, None, 0)),
        ({"id": "a", "created_at": 10**18}, Listed("a", None, {}, None, 0)),
        ({"id": "a", "created_at": float("nan")}, Listed("a", None, {}, None, 0)),
        ({"id": "a", "model": "m", "request_counts": {"total": 5}}, Listed("a", None, {}, "m", 5)),
        ({"id": "a", "metadata": {"docmill": "x"}}, Listed("a", None, {"docmill": "x"}, None, 0)),
        ({"id": "a", "metadata": None, "model": 7}, Listed("a", None, {}, None, 0)),
    ],
)
def test_what_a_list_says_of_a_batch(entry, found):
    assert page_in({"data": [entry]}) == [found]


@pytest.mark.parametrize("page", [{}, {"data": None}, {"data": [None, {}, {"id": 7}, "a"]}])
def test_a_list_of_another_form_has_no_batches(page):
    assert page_in(page) == []
