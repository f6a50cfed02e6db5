"""What callers of the rate limit pass and get: values only."""

from dataclasses import dataclass
from typing import Self

from models.config import MINUTE_S

SPREAD_SHARE, LEAST_SPREAD_S = 1 / 120, 0.1
"""The spread in windows, and in seconds at least: however short the window, one request waits for
a claim, a connection or its turn on a busy machine while another does not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider allows for one model; None is no limit, or one that headers will tell."""

    rpm: int | None = None
    """Requests in a window."""
    tpm: int | None = None
    """Tokens in a window, prompt and output together."""
    max_in_flight: int | None = None

    @classmethod
    def per_minute(
        cls, rpm: int | None, tpm: int | None, max_in_flight: int | None, window_s: float
    ) -> Self:
        """From limits as providers state them, a minute, to what their window holds of them."""

        def held(limit: int | None) -> int | None:
            return None if limit is None else max(1, int(limit * window_s / MINUTE_S))

        return cls(held(rpm), held(tpm), max_in_flight)


@dataclass(frozen=True, slots=True)
class Timing:
    """The clockwork, in seconds. Only tests need other values than `over` gives."""

    window_s: float = 60.0
    spread_s: float = 0.5
    """How much longer one request may take from its grant to the provider than another. Without
    it, a late one and an early one could meet in one of the provider's windows. A call
    that goes out more than half of it after its grant is counted anew."""
    lease_s: float = 10.0
    """A killed worker's calls stop counting as in flight after it."""
    renew_s: float = 1.0
    hold_s: float = 2.0
    """After Redis lost its data: nothing is granted until every live call has been renewed."""

    @classmethod
    def over(cls, window_s: float) -> Self:
        """For a provider that counts over such a window."""
        return cls(window_s, spread_s=max(LEAST_SPREAD_S, window_s * SPREAD_SHARE))


@dataclass(frozen=True, slots=True)
class Amount:
    """What one request will take, in tokens."""

    prompt: int
    output: int
    """What its answer will probably take: see OutputReserve."""
    max_output: int
    """What its answer may take."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to make one call. It is to be settled or given back, whatever becomes of the call."""

    id: str
    model: str
    amount: Amount
    charged: int
    """Tokens that it was counted as."""
    slot: int
    granted_at: int
    """Redis's clock, in microseconds."""
    asked_at: float
    """This process's monotonic clock, in seconds."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not now."""

    reason: str
    """hold, pause, turn, in_flight, requests or tokens."""
    retry_after_s: float
