"""What callers of the rate limit pass and get: values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider allows for one model; None is no limit, or one that headers will tell."""

    rpm: int | None = None
    """Requests in a window."""
    tpm: int | None = None
    """Tokens in a window, prompt and output together."""
    max_in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """The clockwork, in seconds. Only tests and benchmarks need other values."""

    window_s: float = 60.0
    spread_s: float = 0.5
    """How much longer one request may take from its grant to the provider than another. Without
    it, a late one and an early one could meet in one of the provider's windows."""
    lease_s: float = 10.0
    """A killed worker's calls stop counting as in flight after it."""
    renew_s: float = 1.0
    hold_s: float = 2.0
    """After Redis lost its data: nothing is granted until every live call has been renewed."""


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


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not now."""

    reason: str
    """hold, pause, turn, in_flight, requests or tokens."""
    retry_after_s: float
