"""What each of Anthropic's errors means, and whom it concerns."""

import pytest

from worker.llm.anthropic.errors import error_in_body, status_error
from worker.llm.engine import Concern, Trouble

WHERE = "https://api.anthropic.com"
KEY = "sk-ant-very-secret-0123456789"


def body(kind, message="", code=None):
    error = {"type": kind, "message": message, "details": {"error_code": code} if code else None}
    return {"type": "error", "error": error, "request_id": "req_1"}


INVALID = "invalid_request_error"


@pytest.mark.parametrize(
    ("status", "said", "trouble", "concern", "billed"),
    [
        (401, body("authentication_error", "invalid x-api-key"), Trouble.AUTH, "engine", False),
        (403, body("permission_error", "Not allowed"), Trouble.AUTH, "engine", False),
        (402, body("billing_error", "Payment"), Trouble.QUOTA, "engine", False),
        (400, body(INVALID, "Your credit balance is too low"), Trouble.QUOTA, "engine", False),
        (
            400,
            body(INVALID, "You have reached your specified API usage limits."),
            Trouble.QUOTA,
            "engine",
            False,
        ),
        (
            429,
            body("rate_limit_error", "no", "enforced_spend_limit_reached"),
            Trouble.QUOTA,
            "engine",
            False,
        ),
        (400, body(INVALID, "On hold", "organization_on_hold"), Trouble.AUTH, "engine", False),
        (
            429,
            body("rate_limit_error", "ramping up", "ramp_limit_exceeded"),
            Trouble.RATE_LIMITED,
            "passing",
            False,
        ),
        (
            429,
            body("rate_limit_error", "the model does not exist, they say"),
            Trouble.RATE_LIMITED,
            "passing",
            False,
        ),
        (529, body("overloaded_error", "Overloaded"), Trouble.RATE_LIMITED, "passing", False),
        (413, body("request_too_large", "32 MB"), Trouble.CONTEXT_EXCEEDED, "prompt", False),
        (
            400,
            body(INVALID, "prompt is too long: 210000 tokens > 200000 maximum"),
            Trouble.CONTEXT_EXCEEDED,
            "prompt",
            False,
        ),
        (
            400,
            body(
                INVALID, "max_tokens: 9 > 8, which is the maximum allowed number of output tokens"
            ),
            Trouble.MODEL_UNFIT,
            "model",
            False,
        ),
        (
            400,
            body(INVALID, "Output blocked by content filtering policy"),
            Trouble.CONTENT_FILTER,
            "prompt",
            True,
        ),
        (400, body(INVALID, "messages: odd"), Trouble.BAD_REQUEST, "prompt", False),
        (404, body("not_found_error", "model: x"), Trouble.MODEL_NOT_FOUND, "model", False),
        (404, body("not_found_error", "Not Found"), Trouble.MISCONFIGURED, "engine", False),
        (404, "", Trouble.MISCONFIGURED, "engine", False),
        (404, "<html>", Trouble.MISCONFIGURED, "engine", False),
        (307, "", Trouble.MISCONFIGURED, "engine", False),
        (500, body("api_error", "Internal server error"), Trouble.SERVER_ERROR, "passing", True),
        (502, "<html>Bad gateway", Trouble.SERVER_ERROR, "passing", True),
        (503, {"error": "not yet"}, Trouble.UNAVAILABLE, "passing", False),
        (504, body("timeout_error", "Request timed out"), Trouble.TIMEOUT, "passing", True),
        # what gateways send in its place
        (422, {"detail": "odd"}, Trouble.BAD_REQUEST, "prompt", False),
        (500, None, Trouble.SERVER_ERROR, "passing", True),
        (418, ["odd"], Trouble.BAD_REQUEST, "prompt", False),
    ],
)
def test_every_error_is_typed(status, said, trouble, concern, billed):
    error = status_error(status, said, {}, WHERE)
    assert (error.trouble, error.concern, error.maybe_billed) == (trouble, Concern(concern), billed)
    assert str(error).startswith(f"{WHERE} answered {status}")


def test_the_wait_and_the_limits_are_read_from_the_headers():
    headers = {
        "retry-after": "7",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
    }
    error = status_error(429, body("rate_limit_error", "no"), headers, WHERE)
    assert error.retry_after_s == 7
    assert (error.rate_limits.limit_requests, error.rate_limits.remaining_requests) == (50, 0)


def test_the_sentence_says_what_to_do_and_not_the_key():
    said = str(status_error(401, body("authentication_error", f"bad {KEY}"), {}, WHERE, KEY))
    assert "check the API key" in said
    assert KEY[:12] not in said


def test_a_redirect_says_where_it_leads():
    headers = {"location": f"https://me:{KEY}@elsewhere/v1"}
    said = str(status_error(308, "", headers, WHERE, KEY))
    assert "https://elsewhere/v1" in said
    assert KEY not in said


@pytest.mark.parametrize(
    ("said", "trouble", "billed"),
    [
        (body("overloaded_error", "Overloaded"), Trouble.RATE_LIMITED, False),
        (body("api_error", "upstream"), Trouble.SERVER_ERROR, True),
        (body(INVALID, "prompt is too long: 9 tokens > 8"), Trouble.CONTEXT_EXCEEDED, False),
        (body(INVALID, "odd"), Trouble.BAD_REQUEST, False),
    ],
)
def test_an_error_that_came_with_status_200_is_typed_by_what_it_says(said, trouble, billed):
    error = error_in_body(said, WHERE)
    assert (error.trouble, error.maybe_billed, error.status) == (trouble, billed, 200)
