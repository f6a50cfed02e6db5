"""What response headers tell the shared limit, and what they do not."""

from datetime import UTC, datetime

import pytest

from worker.calls.limits import stated
from worker.llm.engine import RateLimits
from worker.llm.headers import rate_limits

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_without_headers_nothing_is_told():
    assert stated(None, 60) == {}
    assert stated(RateLimits(), 60) == {}


def test_a_minutes_limits_are_told_with_what_is_left_of_them():
    headers = RateLimits(500, 499, 0.12, 200_000, 199_000, 60.0)
    assert stated(headers, 60) == {
        "limit_r": 500,
        "left_r": 499,
        "limit_t": 200_000,
        "left_t": 199_000,
    }


@pytest.mark.parametrize(
    ("reset_s", "window_s", "of_the_window"),
    [
        (None, 60, True),  # it does not say
        (6.0, 60, True),
        (120.0, 60, True),
        (121.0, 60, False),
        (60.0, 10, True),  # headers may speak of minutes where ten seconds are counted
        (121.0, 10, False),
        (300.0, 300, True),
        (30_000.0, 60, False),
    ],
)
def test_what_takes_longer_to_be_whole_again_than_a_window_is_a_limit_of_the_day(
    reset_s, window_s, of_the_window
):
    headers = RateLimits(limit_requests=200, remaining_requests=3, reset_requests_s=reset_s)
    told = {"limit_r": 200, "left_r": 3} if of_the_window else {"daily_r": 200}
    assert stated(headers, window_s) == told


def test_a_days_requests_beside_a_minutes_tokens_are_told_apart():
    """As Groq has it: requests are always a day's, tokens a minute's."""
    headers = {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-remaining-requests": "14000",
        "x-ratelimit-reset-requests": "40m0s",
        "x-ratelimit-limit-tokens": "18000",
        "x-ratelimit-remaining-tokens": "17997",
        "x-ratelimit-reset-tokens": "7.66s",
    }
    told = stated(rate_limits(headers, NOW), 60)
    assert told == {"daily_r": 14_400, "limit_t": 18_000, "left_t": 17_997}


def test_limits_whose_names_say_that_they_are_a_days_are_not_told():
    """As Cerebras has it."""
    headers = {
        "x-ratelimit-limit-requests-day": "14400",
        "x-ratelimit-remaining-requests-day": "10",
        "x-ratelimit-reset-requests-day": "33011.38",
        "x-ratelimit-limit-tokens-day": "1000000",
        "x-ratelimit-remaining-tokens-day": "5",
    }
    assert stated(rate_limits(headers, NOW), 60) == {}
