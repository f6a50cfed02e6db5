import pytest

from worker.llm.engine import RateLimits, Trouble
from worker.llm.openai.errors import error_in_body, names_field, status_error

SPEND = {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}
LLAMA = {"code": 400, "type": "exceed_context_size_error", "message": "exceeds", "n_ctx": 256}


def body(message="no", **more):
    return {"message": message, **more}


@pytest.mark.parametrize(
    ("status", "error", "trouble", "billed"),
    [
        (400, body("odd"), Trouble.BAD_REQUEST, False),
        (422, {"detail": [{"loc": ["body"]}]}, Trouble.BAD_REQUEST, False),
        (307, "", Trouble.BAD_REQUEST, False),
        (400, body(code="context_length_exceeded"), Trouble.CONTEXT_EXCEEDED, False),
        (400, LLAMA, Trouble.CONTEXT_EXCEEDED, False),
        (400, body("prompt is too long: 9 > 8"), Trouble.CONTEXT_EXCEEDED, False),
        (413, body(type="request_too_large"), Trouble.CONTEXT_EXCEEDED, False),
        (
            429,
            body("Request too large for gpt-4o on tokens per min"),
            Trouble.CONTEXT_EXCEEDED,
            False,
        ),
        (400, body(code="content_filter"), Trouble.CONTENT_FILTER, False),
        (400, body(code="content_policy_violation"), Trouble.CONTENT_FILTER, False),
        (403, body("Your input was flagged", code=403), Trouble.CONTENT_FILTER, False),
        (400, body("Your credit balance is too low to use"), Trouble.QUOTA, False),
        (402, body(), Trouble.QUOTA, False),
        (429, body(code="insufficient_quota"), Trouble.QUOTA, False),
        (429, body(type="insufficient_quota"), Trouble.QUOTA, False),
        (429, SPEND, Trouble.QUOTA, False),
        (429, body(code="rate_limit_exceeded"), Trouble.RATE_LIMITED, False),
        (429, "", Trouble.RATE_LIMITED, False),
        (529, body(type="overloaded_error"), Trouble.RATE_LIMITED, False),
        (503, body(type="overloaded_error"), Trouble.RATE_LIMITED, False),
        (503, body("Loading model", code=503), Trouble.UNAVAILABLE, False),
        (503, None, Trouble.UNAVAILABLE, False),
        (401, body(code="invalid_api_key"), Trouble.AUTH, False),
        (403, body(), Trouble.AUTH, False),
        (404, body(), Trouble.MODEL_NOT_FOUND, False),
        (400, body("x is not a valid model ID"), Trouble.MODEL_NOT_FOUND, False),
        (408, body(), Trouble.SERVER_ERROR, True),
        (409, body(), Trouble.SERVER_ERROR, True),
        (500, body(), Trouble.SERVER_ERROR, True),
        (502, "<html>", Trouble.SERVER_ERROR, True),
        (504, None, Trouble.SERVER_ERROR, True),
    ],
)
def test_every_status_and_code_has_its_trouble(status, error, trouble, billed):
    found = status_error(status, error, {"retry-after-ms": "250"}, "https://host/v1")
    assert (found.trouble, found.maybe_billed) == (trouble, billed)
    assert (found.status, found.retry_after_s) == (status, 0.25)


def test_what_the_headers_of_a_refusal_say_of_limits_comes_with_it():
    headers = {"x-ratelimit-limit-tokens": "9000", "x-ratelimit-remaining-tokens": "0"}
    found = status_error(429, body(), headers, "https://host/v1")
    assert found.rate_limits == RateLimits(limit_tokens=9000, remaining_tokens=0)
    assert status_error(429, body(), {}, "https://host/v1").rate_limits is None


@pytest.mark.parametrize(
    ("error", "trouble", "billed"),
    [
        (body(code=502), Trouble.SERVER_ERROR, True),
        (body(code="502"), Trouble.SERVER_ERROR, True),
        (body(code=429), Trouble.RATE_LIMITED, False),
        (body(code="rate_limit_exceeded"), Trouble.RATE_LIMITED, False),
        (body(code=402), Trouble.QUOTA, False),
        (body(code=401), Trouble.AUTH, False),
        (body(code=503), Trouble.UNAVAILABLE, False),
        (body(code=408), Trouble.SERVER_ERROR, True),
        (body(code="content_filter"), Trouble.CONTENT_FILTER, True),
        (body(), Trouble.SERVER_ERROR, True),
        ("something broke", Trouble.SERVER_ERROR, True),
    ],
)
def test_an_error_under_status_200_is_mapped_by_its_code(error, trouble, billed):
    found = error_in_body(error, "https://host/v1")
    assert (found.trouble, found.maybe_billed, found.status) == (trouble, billed, 200)


def test_the_key_is_taken_out_of_what_a_server_says():
    found = status_error(401, body("Incorrect key sk-12345"), {}, "https://host", "sk-12345")
    assert "sk-12345" not in str(found)
    assert "[key]" in str(found)


def test_a_refused_field_is_found_in_param_or_text():
    assert names_field({"param": "response_format", "message": ""}, "response_format")
    assert names_field({"detail": [{"loc": ["body", "temperature"]}]}, "temperature")
    assert not names_field(body("odd"), "response_format")
