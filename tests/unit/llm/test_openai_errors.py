from decimal import Decimal

import pytest

from worker.llm.engine import RateLimits, Trouble, Usage
from worker.llm.openai.errors import Said, error_in_body, parsed, status_error

SPEND = {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}
LLAMA = {"code": 400, "type": "exceed_context_size_error", "message": "exceeds", "n_ctx": 256}


CONTEXT = Trouble.CONTEXT_EXCEEDED
GEMINI_KEY = [
    {
        "error": {
            "code": 400,
            "message": "no",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "ErrorInfo", "reason": "API_KEY_INVALID"}],
        }
    }
]
GEMINI_MINUTE = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota. Please retry in 32.5s.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "Help"}, {"@type": "RetryInfo", "retryDelay": "32.5s"}],
        }
    }
]
ROUTED = {
    "error": {
        "message": "Provider returned error",
        "code": 400,
        "metadata": {"raw": '{"error": {"message": "prompt is too long"}}', "provider_name": "x"},
    }
}


def body(message="no", **more):
    return {"message": message, **more}


@pytest.mark.parametrize(
    ("status", "error", "trouble", "billed"),
    [
        (400, body("odd"), Trouble.BAD_REQUEST, False),
        (422, {"detail": [{"loc": ["body"]}]}, Trouble.BAD_REQUEST, False),
        (307, "", Trouble.MISCONFIGURED, False),
        (308, body("model not found"), Trouble.MISCONFIGURED, False),
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
        # Azure charges for a prompt that its filter refuses with 400.
        (400, body(code="content_filter"), Trouble.CONTENT_FILTER, True),
        (400, body(code="content_policy_violation"), Trouble.CONTENT_FILTER, True),
        (400, body("Output blocked by content filtering policy"), Trouble.CONTENT_FILTER, True),
        (403, body("Your input was flagged", code=403), Trouble.CONTENT_FILTER, False),
        (400, body("Your credit balance is too low to use"), Trouble.QUOTA, False),
        (402, body(), Trouble.QUOTA, False),
        (429, body(code="insufficient_quota"), Trouble.QUOTA, False),
        (429, body(type="insufficient_quota"), Trouble.QUOTA, False),
        (429, SPEND, Trouble.QUOTA, False),
        (429, body(code="rate_limit_exceeded"), Trouble.RATE_LIMITED, False),
        (429, "", Trouble.RATE_LIMITED, False),
        (429, body("Rate limit for an invalid API key"), Trouble.RATE_LIMITED, False),
        (500, body("Incorrect API key provided"), Trouble.AUTH, False),
        (529, body(type="overloaded_error"), Trouble.RATE_LIMITED, False),
        (503, body(type="overloaded_error"), Trouble.RATE_LIMITED, False),
        (503, body("Loading model", code=503), Trouble.UNAVAILABLE, False),
        (503, None, Trouble.UNAVAILABLE, False),
        (401, body(code="invalid_api_key"), Trouble.AUTH, False),
        (403, body(), Trouble.AUTH, False),
        (404, body(), Trouble.MODEL_NOT_FOUND, False),
        (404, body("model: x", type="not_found_error"), Trouble.MODEL_NOT_FOUND, False),
        (404, body("Not Found", type="not_found_error"), Trouble.MISCONFIGURED, False),
        (404, {"detail": "Not Found"}, Trouble.MISCONFIGURED, False),
        (404, "404 page not found", Trouble.MISCONFIGURED, False),
        (404, "<html>", Trouble.MISCONFIGURED, False),
        (404, "", Trouble.MISCONFIGURED, False),
        (400, "", Trouble.BAD_REQUEST, False),
        (400, "<html><h1>The plain HTTP request", Trouble.MISCONFIGURED, False),
        (405, body("nothing known"), Trouble.MISCONFIGURED, False),
        (501, "<html>Unsupported method", Trouble.MISCONFIGURED, False),
        (413, "<html>Request Entity Too Large", Trouble.CONTEXT_EXCEEDED, False),
        (401, "<html>", Trouble.AUTH, False),
        (403, "", Trouble.AUTH, False),
        (400, GEMINI_KEY, Trouble.AUTH, False),
        (429, GEMINI_MINUTE, Trouble.RATE_LIMITED, False),
        (400, ROUTED, Trouble.CONTEXT_EXCEEDED, False),
        (400, {"error": "model is loaded with context length of only 9"}, CONTEXT, False),
        (400, {"object": "error", "message": "prompt is too long"}, CONTEXT, False),
        (400, body("max_tokens is too large: 9"), Trouble.MODEL_UNFIT, False),
        (400, body("Invalid value", param="max_completion_tokens"), Trouble.MODEL_UNFIT, False),
        (400, body("Use 'max_completion_tokens'", param="max_tokens"), Trouble.BAD_REQUEST, False),
        (500, body("model requires more system memory"), Trouble.NO_MEMORY, False),
        (500, body("context deadline exceeded"), Trouble.TIMEOUT, True),
        (500, body("failed to parse grammar"), Trouble.BAD_REQUEST, False),
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
        ("Unexpected endpoint or method. Returning 200 anyway", Trouble.MISCONFIGURED, False),
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


def test_a_field_is_found_in_param_or_text():
    assert Said({"param": "response_format", "message": ""}).names("response_format")
    assert Said({"detail": [{"loc": ["body", "temperature"]}]}).names("temperature")
    assert not Said(body("odd")).names("response_format")


def test_gemini_asks_for_a_wait_in_the_body_and_a_header_goes_before_it():
    assert status_error(429, GEMINI_MINUTE, {}, "there").retry_after_s == 32.5
    assert status_error(429, GEMINI_MINUTE, {"retry-after": "2"}, "there").retry_after_s == 2.0


def test_a_redirect_says_where_it_leads_and_what_to_do():
    found = status_error(308, "", {"location": "https://other/v1/chat/completions"}, "there")
    assert "https://other/v1/chat/completions" in str(found)
    assert "write the address that answers" in str(found)


def test_a_web_page_is_not_shown():
    found = status_error(404, "<html><script>alert(1)</script>", {}, "there")
    assert "a web page" in str(found)
    assert "script" not in str(found)
    assert "base_url" in str(found)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"error": {"message": "no"}, "usage": {"prompt_tokens": 9, "completion_tokens": 3}}, 500),
        ({"error": {"message": "no", "code": 502}, "usage": {"prompt_tokens": 9,
          "completion_tokens": 3, "cost": 0.5}}, 200),
        ({"error": body(code="content_filter"), "usage": {"prompt_tokens": 9,
          "completion_tokens": 3, "cost": 0.5}}, 400),
    ],
)  # fmt: skip
def test_what_an_error_says_it_took_comes_with_it(error, status):
    made = error_in_body(error, "it") if status == 200 else status_error(status, error, {}, "it")
    assert made.usage == Usage(input_tokens=9, output_tokens=3)
    assert made.reported_cost_usd == (None if status == 500 else Decimal("0.5"))
    assert made.stated


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"[[]]", b"{}", b"3", b"\xff", b"[" * 9999]
)
def test_no_body_at_all_makes_it_stumble(content):
    for status in (307, 400, 404, 500):
        assert status_error(status, parsed(content), {}, "there").status == status
    assert error_in_body(parsed(content), "there").trouble is Trouble.SERVER_ERROR
