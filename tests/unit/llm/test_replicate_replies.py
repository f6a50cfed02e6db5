"""What Replicate's replies mean: a reply, and what comes out."""

import json

import pytest

from tests.stubs.replicate import ReplicateStub
from worker.llm.engine import EngineError, Finish, Request, Trouble, Usage
from worker.llm.replicate.replies import (
    Prediction,
    account_in,
    completion,
    prediction,
    refusal,
)

WHERE = "Replicate at https://api"
REQUEST = Request("a/b", (), 10, 4096)
SECRET = "r8_abcdefghijklmnop"
VERSION = "5c" * 32


def run(status="succeeded", **body):
    return Prediction("p1", status, body)


def done(status="succeeded", **body):
    return completion(run(status, **body), REQUEST, 5, WHERE, SECRET)


def failure(status="failed", **body):
    with pytest.raises(EngineError) as caught:
        done(status, **body)
    return caught.value


def refused(status, body="", headers=()):
    content = body if isinstance(body, str) else json.dumps(body)
    return refusal(status, content.encode(), dict(headers), WHERE, SECRET)


# --- predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "final", "starting"),
    [
        ("starting", False, True),
        ("processing", False, False),
        ("a new one", False, False),
        ("succeeded", True, False),
        ("failed", True, False),
        ("canceled", True, False),
        ("aborted", True, False),
    ],
)
def test_the_status_says_how_far_it_has_come(status, final, starting):
    found = prediction(json.dumps({"id": "p1", "status": status}).encode(), WHERE)
    assert (found.is_final, found.is_starting) == (final, starting)


@pytest.mark.parametrize("id_", ["../account", "a/b", "", "a?b", "a" * 200, 7, None, "a b", "é"])
def test_an_id_that_would_lead_elsewhere_is_no_prediction(id_):
    with pytest.raises(EngineError) as caught:
        prediction(json.dumps({"id": id_, "status": "starting"}).encode(), WHERE)
    assert caught.value.trouble is Trouble.SERVER_ERROR
    assert caught.value.maybe_billed


@pytest.mark.parametrize(
    ("content", "trouble", "billed"),
    [
        (b"<html>sign in</html>", Trouble.MISCONFIGURED, False),
        (b'{"id": "p1"', Trouble.SERVER_ERROR, True),
        (b"[]", Trouble.SERVER_ERROR, True),
        (b"{}", Trouble.SERVER_ERROR, True),
        (b'{"id": "p1"}', Trouble.SERVER_ERROR, True),
        (b"[" * 10_000, Trouble.SERVER_ERROR, True),
    ],
)
def test_what_is_no_prediction_is_told_apart(content, trouble, billed):
    with pytest.raises(EngineError) as caught:
        prediction(content, WHERE)
    assert (caught.value.trouble, caught.value.maybe_billed) == (trouble, billed)


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (["Fuzzy", ", gentle", ""], "Fuzzy, gentle"),
        ("whole", "whole"),
        ({"total": "5 €"}, '{"total": "5 €"}'),
        ([{"a": 1}], '{"a": 1}'),
        ([], ""),
        (None, ""),
        (7, "7"),
    ],
)
def test_pieces_a_text_or_an_object_come_to_one_text(output, text):
    assert done(output=output).text == text


def test_metrics_say_the_tokens_and_the_seconds_that_the_model_ran():
    stated = {"predict_time": 1.25, "input_token_count": 30, "output_token_count": 4}
    found = done(output="x", metrics=stated)
    assert found.usage == Usage(input_tokens=30, output_tokens=4)
    assert found.engine_seconds == 1.25
    assert found.finish is Finish.STOP


@pytest.mark.parametrize(
    "metrics", [None, {}, [], {"input_token_count": "many"}, {"predict_time": -1}]
)
def test_what_is_not_stated_is_unknown(metrics):
    found = done(output="x", metrics=metrics)
    assert (found.usage, found.engine_seconds) == (Usage(), None)


@pytest.mark.parametrize(("written", "finish"), [(9, Finish.STOP), (10, Finish.LENGTH)])
def test_who_wrote_all_that_was_allowed_was_cut_off(written, finish):
    assert done(output="x", metrics={"output_token_count": written}).finish is finish


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"model": "meta/llama", "version": VERSION}, f"meta/llama:{VERSION}"),
        ({"model": "meta/llama", "version": "hidden"}, "meta/llama"),
        ({"version": VERSION}, VERSION),
        ({}, None),
    ],
)
def test_the_model_that_answered_is_named_with_its_version(body, model):
    assert done(output="x", **body).model_answered == model


# --- predictions that failed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        ("Director: unexpected error handling prediction (E1001)", Trouble.NO_MEMORY),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", Trouble.NO_MEMORY),
        ("E1001 PromptRequired: A prompt is required", Trouble.SERVER_ERROR),
        (
            "E1002 PromptTooLong: Prompt length exceeds maximum input length.",
            Trouble.CONTEXT_EXCEEDED,
        ),
        (
            "The input or output was flagged as sensitive. Please try again with different "
            "inputs. (E005) (uIJ6l3ruRD)",
            Trouble.CONTENT_FILTER,
        ),
        (
            "NSFW content detected. Try running it again, or try a different prompt.",
            Trouble.CONTENT_FILTER,
        ),
        ("Director: unexpected error handling prediction (E6716)", Trouble.UNAVAILABLE),
        ("Director: unexpected error handling prediction (E9828)", Trouble.SERVER_ERROR),
        ("Prediction interrupted; please retry (code: PA)", Trouble.SERVER_ERROR),
        ("You've hit your monthly spend limit.", Trouble.QUOTA),
        ({"message": "out of memory"}, Trouble.NO_MEMORY),
        ("", Trouble.SERVER_ERROR),
        (None, Trouble.SERVER_ERROR),
    ],
)
def test_a_failed_prediction_is_told_by_its_code_or_its_words(error, trouble):
    assert failure(error=error).trouble is trouble


@pytest.mark.parametrize(
    ("status", "trouble"),
    [("canceled", Trouble.SERVER_ERROR), ("aborted", Trouble.UNAVAILABLE)],
)
def test_a_prediction_that_somebody_else_ended_passes(status, trouble):
    found = failure(status)
    assert found.trouble is trouble
    assert status in str(found)


@pytest.mark.parametrize(
    ("body", "billed"),
    [
        ({}, False),
        ({"started_at": None}, False),
        ({"started_at": "2026-01-01T00:00:00Z"}, True),
        ({"metrics": {"predict_time": 0.1}}, True),
    ],
)
def test_a_failed_prediction_may_be_billed_where_the_model_ran(body, billed):
    assert failure(error="x", **body).maybe_billed is billed


def test_a_failure_says_what_it_took_and_no_key():
    stated = {"predict_time": 2.0, "input_token_count": 3, "output_token_count": 1}
    found = failure(error=f"bad token {SECRET}", metrics=stated)
    assert (found.engine_seconds, found.usage) == (2.0, Usage(3, None, 1))
    assert SECRET not in str(found)


# --- refusals -------------------------------------------------------------------------------------

FAULTS = ReplicateStub.faults


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (401, FAULTS["401"].body, Trouble.AUTH),
        (403, {"detail": "no permission"}, Trouble.AUTH),
        (402, FAULTS["402"].body, Trouble.QUOTA),
        (404, FAULTS["404"].body, Trouble.MODEL_NOT_FOUND),
        (404, {"detail": "Not found."}, Trouble.MODEL_NOT_FOUND),
        (404, "404 page not found", Trouble.MISCONFIGURED),
        (404, "<html>", Trouble.MISCONFIGURED),
        (404, "", Trouble.MISCONFIGURED),
        (405, "", Trouble.MISCONFIGURED),
        (400, "<html>", Trouble.MISCONFIGURED),
        (400, {"detail": "odd"}, Trouble.BAD_REQUEST),
        (413, "", Trouble.CONTEXT_EXCEEDED),
        (422, FAULTS["version"].body, Trouble.MODEL_NOT_FOUND),
        (422, FAULTS["422"].body, Trouble.BAD_REQUEST),
        (422, FAULTS["max_tokens"].body, Trouble.MODEL_UNFIT),
        (422, FAULTS["image"].body, Trouble.MODEL_UNFIT),
        (422, {"detail": [{"msg": "odd"}]}, Trouble.BAD_REQUEST),
        (429, FAULTS["429_body"].body, Trouble.RATE_LIMITED),
        (429, "", Trouble.RATE_LIMITED),
        (500, FAULTS["500"].body, Trouble.SERVER_ERROR),
        (502, "<html>bad gateway", Trouble.SERVER_ERROR),
        (503, "", Trouble.UNAVAILABLE),
        (504, "", Trouble.SERVER_ERROR),
        (308, "", Trouble.MISCONFIGURED),
    ],
)
def test_a_refusal_is_told_by_its_status_and_its_words(status, body, trouble):
    found = refused(status, body)
    assert found.trouble is trouble
    assert found.status == status
    assert found.maybe_billed is (trouble is Trouble.SERVER_ERROR)


@pytest.mark.parametrize(
    ("status", "body", "headers", "wait"),
    [
        (429, FAULTS["429_body"].body, {}, 10.0),
        (429, FAULTS["429_body"].body, {"retry-after": "3"}, 3.0),
        (429, {"detail": "Request was throttled."}, {}, None),
        (503, "", {"retry-after": "5"}, 5.0),
        (500, {"detail": "resets in ~30s"}, {}, None),
    ],
)
def test_the_wait_is_read_from_the_header_or_the_words(status, body, headers, wait):
    assert refused(status, body, headers).retry_after_s == wait


def test_a_refusal_says_what_to_do_and_no_key():
    found = str(refused(401, {"detail": f"token {SECRET} is wrong"}))
    assert "REPLICATE_API_TOKEN" in found
    assert SECRET not in found
    assert "OWNER/NAME:VERSION" in str(refused(404, FAULTS["404"].body))
    assert "https://elsewhere" in str(refused(308, "", {"location": "https://me:pw@elsewhere/"}))


@pytest.mark.parametrize(
    ("body", "name"), [({"username": "acme"}, "acme"), ({}, "an account without a name")]
)
def test_the_account_is_named(body, name):
    assert account_in(json.dumps(body).encode(), WHERE) == name
