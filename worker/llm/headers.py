"""What response headers say of rate limits and waits. Pure: text and a clock in, numbers out.

Two families are read: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` with Go durations
(https://platform.openai.com/docs/guides/rate-limits) and
`anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}` with RFC 3339 times
(https://docs.claude.com/en/api/rate-limits).
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from worker.llm.engine import RateLimits

_UNIT_SECONDS = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,  # U+00B5, what Go prints
    "μs": 1e-6,  # U+03BC, what Go also reads
    "ns": 1e-9,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|us|µs|μs|ns|s)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# A bare number above this is a moment (Unix seconds or milliseconds), not a wait.
_LONGEST_WAIT_S = 30 * 86400.0


def go_duration(text: str) -> float | None:
    """Seconds of a Go duration such as `6m0s`, `12ms` or `23h18m29.144s`, or of a bare number.

    None when the text is neither, or is a bare number too large to be a wait.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _wait(float(text))
    if not text or _PART.sub("", text):
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))


def seconds_until(text: str, now: datetime) -> float | None:
    """Seconds from `now` (with time zone) to an RFC 3339 moment, 0 when it has passed."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return _until(moment, now)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait in seconds that the server asked for; None when it asked for none.

    `retry-after-ms` wins over `retry-after`, which holds seconds or an HTTP date (RFC 9110).
    """
    found = _lowered(headers)
    milliseconds = found.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return _wait(float(milliseconds) / 1000)
    text = found.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        return _wait(float(text))
    return _until_http_date(text, now)


def rate_limits(headers: Mapping[str, str], now: datetime) -> RateLimits | None:
    """The limits that these headers state; None when they state none."""
    found = _lowered(headers)
    stated = _openai(found) or _anthropic(found, now)
    return stated if stated != RateLimits() else None


def _openai(found: Mapping[str, str]) -> RateLimits | None:
    if not any(name.startswith("x-ratelimit-") for name in found):
        return None
    return _limits(found, "x-ratelimit-{what}-requests", "x-ratelimit-{what}-tokens", go_duration)


def _anthropic(found: Mapping[str, str], now: datetime) -> RateLimits | None:
    if not any(name.startswith("anthropic-ratelimit-") for name in found):
        return None
    # Where only the split limits are sent, the input one is what a long prompt meets first.
    whole = "anthropic-ratelimit-tokens-limit" in found
    tokens = (
        "anthropic-ratelimit-tokens-{what}" if whole else "anthropic-ratelimit-input-tokens-{what}"
    )
    requests = "anthropic-ratelimit-requests-{what}"
    return _limits(found, requests, tokens, lambda text: seconds_until(text, now))


def _limits(
    found: Mapping[str, str], requests: str, tokens: str, reset: Callable[[str], float | None]
) -> RateLimits:
    return RateLimits(
        limit_requests=_count(found.get(requests.format(what="limit"))),
        remaining_requests=_count(found.get(requests.format(what="remaining"))),
        reset_requests_s=reset(found.get(requests.format(what="reset"), "")),
        limit_tokens=_count(found.get(tokens.format(what="limit"))),
        remaining_tokens=_count(found.get(tokens.format(what="remaining"))),
        reset_tokens_s=reset(found.get(tokens.format(what="reset"), "")),
    )


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _count(text: str | None) -> int | None:
    # A gateway without a limit sends -1 or words: unknown, not a number.
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _wait(seconds: float) -> float | None:
    return seconds if seconds <= _LONGEST_WAIT_S else None


def _until_http_date(text: str, now: datetime) -> float | None:
    try:
        return _until(parsedate_to_datetime(text), now)
    except ValueError:
        return None


def _until(moment: datetime, now: datetime) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
