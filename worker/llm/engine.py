"""What every engine is: a prompt goes in, a completion or a typed error comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol

from models.errors import DocmillError


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a prompt. Few-shot examples are user and assistant turns."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt for one model. The fixed part comes first, so that engines reuse their cache."""

    model_name: str
    messages: tuple[Message, ...]
    max_tokens: int
    context_tokens: int
    """The context window to ask for, in tokens; one value per model (a change reloads it)."""
    schema: Mapping[str, Any] | None = None
    """JSON Schema of the answer; None for free text."""
    temperature: float = 0.0
    fixed: int = 0
    """How many messages at the front follow from the prompt's version alone."""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the engine reported them; None is "not reported", never 0."""

    input_tokens: int | None = None
    """Whole prompt, cached part included."""
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None


class Finish(StrEnum):
    """Why the engine stopped."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What the response headers said of the limits; None where a header was absent."""

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests_s: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_s: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for a Request."""

    text: str
    finish: Finish
    latency_ms: int
    usage: Usage = field(default_factory=Usage)
    model_answered: str | None = None
    engine_seconds: float | None = None
    """Seconds that the engine itself spent on prompt and answer, by its own clock."""
    reported_cost_usd: Decimal | None = None
    """The price of this call in USD where the provider states it."""
    rate_limits: RateLimits | None = None


class Trouble(StrEnum):
    """Why an engine did not answer. What follows from each is decided in worker/calls/retry.py."""

    UNAVAILABLE = "unavailable"  # refused connection, 503, model loading: the engine is down
    RATE_LIMITED = "rate_limited"  # 429, 529: come back later
    SERVER_ERROR = "server_error"  # 5xx, a broken answer, a connection cut
    TIMEOUT = "timeout"  # no answer within the limit
    QUOTA = "quota"  # insufficient_quota, 402, spend limit reached
    AUTH = "auth"  # 401, 403
    MODEL_NOT_FOUND = "model_not_found"  # 404: not pulled, not offered
    CONTEXT_EXCEEDED = "context_exceeded"  # the prompt is longer than the window
    BAD_REQUEST = "bad_request"  # any other 4xx: this prompt will never work
    CONTENT_FILTER = "content_filter"  # the provider refused this text


class EngineError(DocmillError):
    """An engine did not answer a prompt.

    `retry_after_s` is the wait in seconds that the server asked for; `maybe_billed` is true when
    the prompt had left this machine and no definite refusal came back; `rate_limits` is what the
    headers of the refusal said.
    """

    def __init__(
        self,
        trouble: Trouble,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        maybe_billed: bool = False,
        rate_limits: RateLimits | None = None,
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.status = status
        self.retry_after_s = retry_after_s
        self.maybe_billed = maybe_billed
        self.rate_limits = rate_limits


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an engine answers, and which models it has."""

    ok: bool
    detail: str
    models: tuple[str, ...] = ()
    version: str | None = None


class Engine(Protocol):
    """Something that answers a prompt. Implementations hold one connection pool and no state."""

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        ...

    async def health(self) -> Health:
        """Ask for nothing that costs; never raises."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
