"""What callers of the rate limit pass and get: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from models.engines import MINUTE_S, EngineConfig, ModelLimits

SPREAD_SHARE, LEAST_SPREAD_S = 1 / 120, 0.1
"""The spread in windows, and in seconds at least: however short the window, one request waits for
a claim, a connection or its turn on a busy machine while another does not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider allows, for a model or for all of an engine's together; None is no limit,
    or one that headers will tell."""

    rpm: int | None = None
    """Requests in a window."""
    tpm: int | None = None
    """Tokens in a window, prompt and output together."""
    max_in_flight: int | None = None

    @classmethod
    def per_minute(cls, stated: EngineConfig | ModelLimits, window_s: float) -> Self:
        """From limits as providers state them, a minute, to what their window holds of them."""

        def held(limit: int | None) -> int | None:
            return None if limit is None else max(1, int(limit * window_s / MINUTE_S))

        return cls(held(stated.rpm), held(stated.tpm), stated.max_in_flight)


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The limits of an engine and of its models, each kept by itself."""

    whole: Limits = Limits()
    models: Mapping[str, Limits] = field(default_factory=dict)

    @classmethod
    def of(cls, config: EngineConfig) -> Self:
        """What docmill.toml states for it."""
        window_s = config.window_s
        models = {
            name: Limits.per_minute(stated, window_s) for name, stated in config.models.items()
        }
        return cls(Limits.per_minute(config, window_s), models)


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
    sleep_s: float = 5.0
    """A waiter asks again at least as often: a pause may be lifted and a limit changed."""
    pause_s: float = 1.0
    """How long trouble shuts an engine or a model at first; twice as long each time."""
    longest_pause_s: float = 60.0

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
    """hold, pause, probe, turn, in_flight, requests or tokens: see limits.lua."""
    retry_after_s: float


class ShutReason(StrEnum):
    """Why nobody asks a model or an engine."""

    RATE_LIMITED = "rate_limited"  # it refused calls, and did not say for how long
    ASKED = "asked"  # it said how long it wants to be left alone
    TROUBLE = "trouble"  # it does not answer, or with errors of its own


@dataclass(frozen=True, slots=True)
class Shut:
    """A model, or the whole engine, that no process asks now."""

    model: str | None
    """None is the engine with all its models."""
    reason: ShutReason
    since: float
    """Unix seconds, by Redis's clock."""
    until: float
    """The same. In the past: one call at a time tries whether the trouble is over."""
