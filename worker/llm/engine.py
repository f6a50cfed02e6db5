"""What every engine is: a prompt goes in, a completion or a typed error comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol

from models.engines import STAND_IN
from models.errors import DocmillError


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a prompt. Few-shot examples are user and assistant turns."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[bytes, ...] = ()
    """JPEGs that it shows, behind its words."""


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
    seed: int = 0
    """Of the draws at a temperature above 0, where the engine takes one."""
    think: bool | None = False
    """Whether to think first, where an engine can be told; None: it is not told."""
    logprobs: bool = False
    """Whether to tell the probabilities of the answer's tokens, where an engine can."""
    fixed: int = 0
    """How many messages at the front follow from the prompt's version alone."""
    chosen: int = 0
    """How many behind them are examples chosen for this text alone; then comes what is asked."""
    text: str = ""
    """The text that it asks about, for an engine that weighs labels: the last message ends with
    it. Empty: it is not told apart."""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the engine reported them; None is "not reported", never 0."""

    input_tokens: int | None = None
    """Whole prompt, cached part included."""
    cached_tokens: int | None = None
    output_tokens: int | None = None
    """All that was written, reasoning included."""
    reasoning_tokens: int | None = None
    cache_written_tokens: int | None = None
    """The part of the prompt that was written into a cache, which some providers charge for."""


UNREPORTED = Usage()


class Finish(StrEnum):
    """Why the engine stopped."""

    STOP = "stop"
    LENGTH = "length"
    LOOP = "loop"  # the model said the same again and again, and the engine cut it off
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
    has_logprobs: bool = False
    """Whether the probabilities of its tokens came along."""


class Concern(StrEnum):
    """Whom a trouble concerns, and so what else it will meet."""

    PROMPT = "prompt"  # this prompt, which will never work here
    MODEL = "model"  # every prompt for this model at this host
    ENGINE = "engine"  # every prompt for this engine, as this host reaches it
    PASSING = "passing"  # nobody for long: it will work again by itself


class Trouble(StrEnum):
    """Why an engine did not answer. What follows from each is decided in worker/calls/retry.py."""

    UNAVAILABLE = "unavailable"  # refused connection, 503, model loading: the engine is down
    RATE_LIMITED = "rate_limited"  # 429, 529: come back later
    SERVER_ERROR = "server_error"  # 5xx, a broken answer, a connection cut
    DIED = "died"  # an engine of one's own went down in the middle of this call
    TIMEOUT = "timeout"  # no answer within the limit
    QUOTA = "quota"  # insufficient_quota, 402, spend limit reached
    AUTH = "auth"  # 401, 403
    MISCONFIGURED = "misconfigured"  # a redirect, a web page or a wrong path where an API should be
    MODEL_NOT_FOUND = "model_not_found"  # 404: not pulled, not offered
    MODEL_UNFIT = "model_unfit"  # cannot chat, or not write max_tokens: the setting is wrong for it
    NO_MEMORY = "no_memory"  # the model does not fit into the memory of its host
    CONTEXT_EXCEEDED = "context_exceeded"  # the prompt is longer than the window
    BAD_REQUEST = "bad_request"  # any other 4xx: this prompt will never work
    CONTENT_FILTER = "content_filter"  # the provider refused this text


CONCERN: Mapping[Trouble, Concern] = {
    Trouble.UNAVAILABLE: Concern.PASSING,
    Trouble.RATE_LIMITED: Concern.PASSING,
    Trouble.SERVER_ERROR: Concern.PASSING,
    Trouble.DIED: Concern.PASSING,
    Trouble.TIMEOUT: Concern.PASSING,
    Trouble.QUOTA: Concern.ENGINE,
    Trouble.AUTH: Concern.ENGINE,
    Trouble.MISCONFIGURED: Concern.ENGINE,
    Trouble.MODEL_NOT_FOUND: Concern.MODEL,
    Trouble.MODEL_UNFIT: Concern.MODEL,
    Trouble.NO_MEMORY: Concern.MODEL,
    Trouble.CONTEXT_EXCEEDED: Concern.PROMPT,
    Trouble.BAD_REQUEST: Concern.PROMPT,
    Trouble.CONTENT_FILTER: Concern.PROMPT,
}


class EngineError(DocmillError):
    """An engine did not answer a prompt.

    `retry_after_s` is the wait in seconds that the server asked for; `maybe_billed` is true when
    a model may have worked on the prompt; `rate_limits` is what the headers of the refusal said.
    `usage`, `engine_seconds` and `reported_cost_usd` are what the server said it took all the
    same, as in a Completion.
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
        usage: Usage = UNREPORTED,
        engine_seconds: float | None = None,
        reported_cost_usd: Decimal | None = None,
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.status = status
        self.retry_after_s = retry_after_s
        self.maybe_billed = maybe_billed
        self.rate_limits = rate_limits
        self.usage = usage
        self.engine_seconds = engine_seconds
        self.reported_cost_usd = reported_cost_usd

    @property
    def concern(self) -> Concern:
        """Whom it concerns."""
        return CONCERN[self.trouble]

    @property
    def cut(self) -> bool:
        """Whether the connection broke in the middle of a call."""
        return self.trouble is Trouble.SERVER_ERROR and self.maybe_billed and self.status is None

    @property
    def stated(self) -> bool:
        """Whether the server said what it took."""
        return self.usage != UNREPORTED or self.reported_cost_usd is not None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an engine answers, and which models it has.

    `digests`: which weights stand behind a model's name, where the engine says so.
    """

    ok: bool
    detail: str
    models: tuple[str, ...] = ()
    version: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None
    """Why it does not answer."""

    def offers(self, model: str) -> bool:
        """Whether the engine has this model, or does not say what it has. A stand-in's model is
        known to its server without that word."""
        name = model.removeprefix(STAND_IN)
        return not self.models or not name or bool({name, f"{name}:latest"} & set(self.models))

    def digest(self, model: str) -> str:
        """Of the weights behind a model's name; empty where the engine does not say."""
        return self.digests.get(model) or self.digests.get(f"{model}:latest") or ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a server tells of a model, as far as it does."""

    template: str = ""
    """What is put around the messages."""
    context_tokens: int | None = None
    """The longest prompt with its answer, in tokens."""
    images: bool | None = None
    """Whether it reads images."""


class Engine(Protocol):
    """Something that answers a prompt. Implementations hold one connection pool, and no state but
    what they have learnt of their server."""

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        ...

    async def health(self) -> Health:
        """Ask for nothing that costs; never raises."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
