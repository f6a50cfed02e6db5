from datetime import UTC, datetime

import pytest

from worker.llm.engine import RateLimits
from worker.llm.headers import go_duration, rate_limits, retry_after, seconds_until

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("23h18m29.144s", 83909.144),
        ("1h", 3600.0),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("5ns", 5e-9),
        ("0s", 0.0),
        ("7.66", 7.66),
        ("42", 42.0),
        (" 2s ", 2.0),
        ("", None),
        ("soon", None),
        ("1x", None),
        ("-1s", None),
        ("1s later", None),
        ("1767268800", None),  # a moment in Unix seconds
        ("1767268800000", None),
    ],
)
def test_a_go_duration_becomes_seconds_or_none(text, seconds):
    assert go_duration(text) == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T12:00:30Z", 30.0),
        ("2026-01-01T17:31:00+05:30", 60.0),
        ("2026-01-01T12:00:00.500Z", 0.5),
        ("2026-01-01T12:01:00", 60.0),  # without a zone: UTC
        ("2026-01-01T11:00:00Z", 0.0),  # past
        ("tomorrow", None),
        ("", None),
    ],
)
def test_an_rfc_3339_moment_becomes_seconds_from_now(text, seconds):
    assert seconds_until(text, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:45 GMT"}, 45.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_the_wait_that_a_server_asks_for_is_read_in_seconds(headers, seconds):
    assert retry_after(headers, NOW) == seconds


def test_openai_rate_limit_headers_are_read():
    headers = {
        "X-RateLimit-Limit-Requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-tokens": "199000",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert rate_limits(headers, NOW) == RateLimits(500, 499, 0.12, 200000, 199000, 360.0)


def test_anthropic_rate_limit_headers_are_read():
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-01-01T12:00:10Z",
        "anthropic-ratelimit-tokens-limit": "80000",
        "anthropic-ratelimit-tokens-remaining": "70000",
        "anthropic-ratelimit-tokens-reset": "2026-01-01T12:01:00Z",
    }
    assert rate_limits(headers, NOW) == RateLimits(50, 0, 10.0, 80000, 70000, 60.0)


def test_anthropic_input_limits_stand_in_where_the_total_is_not_sent():
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "40000",
        "anthropic-ratelimit-input-tokens-remaining": "39000",
        "anthropic-ratelimit-output-tokens-limit": "8000",
    }
    found = rate_limits(headers, NOW)
    assert found == RateLimits(limit_tokens=40000, remaining_tokens=39000)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json"},
        {"x-ratelimit-limit-requests": "-1"},
        {"x-ratelimit-limit-requests": "unlimited", "x-ratelimit-reset-requests": "never"},
        {"x-ratelimit-limit-project-tokens": "5"},
        {"anthropic-ratelimit-requests-reset": "never"},
    ],
)
def test_headers_that_state_no_limit_give_none(headers):
    assert rate_limits(headers, NOW) is None


def test_one_header_alone_leaves_the_others_unknown():
    assert rate_limits({"x-ratelimit-remaining-tokens": "0"}, NOW) == RateLimits(remaining_tokens=0)
