"""Engines as docmill.toml names them: where each stands, how it is reached, what it allows."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models.prices import Price
from models.words import TaskType, Zone

LOCAL, FRONTIER = "local", "frontier"
"""The two engines that are there without being configured; each stands in the zone of its name."""

MINUTE_S = 60

DEFAULT_LOCAL_MODEL = "phi4-mini"
DEFAULT_FRONTIER_MODEL = "anthropic/claude-sonnet-4-6"
DEFAULT_FRONTIER_URL = "https://api.aicredits.in/v1"
DEFAULT_OLLAMA_URL = "http://127.0.0.1:11434"
DEFAULT_ANTHROPIC_URL = "https://api.anthropic.com"
DEFAULT_ANTHROPIC_MODEL = "claude-sonnet-4-6"
DEFAULT_REPLICATE_URL = "https://api.replicate.com/v1"

EMBEDDED_MODEL = "gemma-3-270m"
EMBEDDED_CONTEXT_TOKENS = 4096
"""The context window of one request to the embedded model, in tokens."""
EMBEDDED_SLOTS = 2
"""Requests that it answers at the same time."""
EMBEDDED_MAX_TOKENS = {
    TaskType.EXTRACTION: 192,
    TaskType.CLASSIFICATION: 48,
    TaskType.SIMPLE_CODE: 224,
    TaskType.SUMMARY: 224,
    TaskType.REASONING: 256,
}
"""A 270M model has said what it has to say by then."""

STAND_IN = "stand-in/"
"""In front of the model's name wherever the embedded model serves a frontier queue."""

SHIPPED_ADAPTER_FOR = frozenset({TaskType.EXTRACTION, TaskType.CLASSIFICATION})
"""The tasks that the adapter which comes with Docmill was found better at (docs/adapter.md)."""

WEIGHING = "weighed/1"
"""How labels are weighed. Another way has another number: its answers are no copies of these."""

_WITH = "+"
_DIGEST_SHOWN = 8


def tuned_name(adapter_digest: str) -> str:
    """What the embedded model is called with an adapter, by the SHA-256 of its file in hex; without
    one (empty) it has its own name."""
    return EMBEDDED_MODEL + (_WITH + adapter_digest[:_DIGEST_SHOWN] if adapter_digest else "")


def is_tuned(model: str) -> bool:
    """Whether a name of the embedded model says that it has an adapter."""
    return _WITH in model


CLOUD = ("-cloud", ":cloud")
"""How names of models end that an Ollama only passes on to its maker's servers."""


class Section(BaseModel):
    """A table of docmill.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _engine_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", name):
        raise PydanticCustomError(
            "engine_name", "a name has 1 to 63 letters, digits, dots, dashes and underscores"
        )
    return name


EngineName = Annotated[str, AfterValidator(_engine_name)]

AUTO = "auto"
"""As many slots as the engine turns out to do best with."""


def _auto_or_number(slots: Any) -> Any:
    """One sentence for a value that is neither."""
    if slots != AUTO and (not isinstance(slots, int) or slots < 1):
        raise PydanticCustomError("slots", 'must be a whole number greater than 0, or "auto"')
    return slots


class ModelLimits(Section):
    """What is to be known of one model: what the provider allows for it, beside what it allows for
    the whole engine, and how it is asked."""

    rpm: PositiveInt | None = None
    """Requests a minute."""
    tpm: PositiveInt | None = None
    """Tokens a minute, prompt and output together."""
    max_in_flight: PositiveInt | None = None
    examples: bool = True
    """Whether its prompts carry examples; false for a model that was tuned on prompts without."""


def _outside(zone: Zone) -> Zone:
    if zone is not Zone.FRONTIER:
        raise PydanticCustomError(
            "zone",
            "a provider's own service is never in the building; leave zone out, and do not call "
            "the engine local",
        )
    return zone


Outside = Annotated[Zone, AfterValidator(_outside)]
"""The zone of a kind that one provider runs."""


class EngineConfig(Section):
    """What every kind of engine has. `rpm`, `tpm` and `max_in_flight` are for all of its models
    together."""

    ADDRESS: ClassVar[str | None] = None
    """The key under which its address stands."""
    SHOWS_PAGES: ClassVar[bool] = False
    """Whether pages can be shown to its models."""

    zone: Zone
    """local: in the building. Policy, pins and the receipt know nothing else of an engine."""
    kind: str
    key_env: str | None = None
    """The environment variable that holds its API key, on the hosts of its workers."""
    model: str | None = Field(default=None, min_length=1)
    """The model of tasks that run here and name none."""
    slots: Annotated[int | Literal["auto"], BeforeValidator(_auto_or_number)] = 4
    """Requests in flight per worker process; match OLLAMA_NUM_PARALLEL. `auto` finds them."""
    max_slots: PositiveInt = 64
    """How many `auto` may find."""
    usd_per_hour: Price | None = None
    """What an hour of the machine costs; prices its engine seconds."""
    rpm: PositiveInt | None = None
    """Requests a minute."""
    tpm: PositiveInt | None = None
    """Tokens a minute, prompt and output together."""
    window_s: PositiveInt = 60
    """Seconds that the provider counts rpm and tpm over: at 10, a sixth of each in any 10 s."""
    max_in_flight: PositiveInt | None = None
    models: dict[Annotated[str, Field(min_length=1)], ModelLimits] = Field(default_factory=dict)
    context_tokens: PositiveInt = 8192
    timeout_s: PositiveInt = 600
    short_answers: bool = False
    """Bound every free string by the output limit: for models that do not know when to stop."""
    provider_batch: str | None = None
    """Which batch API its provider has; None: none. It is used for batches that allow it."""
    batch_poll_s: PositiveInt = 60
    """Seconds between two looks at a batch of the provider's."""
    batch_discount: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.5")
    """What a call costs less there, as a share of its price."""

    @property
    def address(self) -> str:
        """Where it answers; empty when nothing was configured."""
        return (getattr(self, self.ADDRESS) if self.ADDRESS is not None else None) or ""

    @property
    def states_address(self) -> bool:
        """Whether that was configured, and is not what its kind has anyway."""
        return self.ADDRESS in self.model_fields_set

    @property
    def second_price(self) -> Decimal | None:
        """USD for a second that it works on a call; None: its calls have no such price."""
        return None

    @property
    def most_usd_per_call(self) -> Decimal | None:
        """The most that a call can cost where seconds have a price: it runs no longer."""
        return None if self.second_price is None else self.second_price * self.timeout_s

    @property
    def batch_stops(self) -> bool:
        """Whether a batch of its provider can be stopped."""
        return self.provider_batch != "openrouter"

    def carries_examples(self, model: str) -> bool:
        """Whether prompts for a model carry examples."""
        own = self.models.get(model)
        return own is None or own.examples

    def weighing(self, model: str) -> str:
        """How it weighs labels for a model, for which it is told the text apart; empty: it lets the
        model write them."""
        return ""

    @property
    def stand_in(self) -> bool:
        """Whether the embedded model answers in place of a frontier model."""
        return self.kind == EMBEDDED and self.zone is Zone.FRONTIER

    @model_validator(mode="after")
    def _a_window_holds_a_request(self) -> Self:
        stated = (self.rpm, *(limits.rpm for limits in self.models.values()))
        rpm = min((limit for limit in stated if limit is not None), default=None)
        if rpm is not None and rpm * self.window_s < MINUTE_S:
            raise ValueError(
                f"window_s = {self.window_s} with rpm = {rpm} is less than one request in a "
                f"window; make window_s {-(-MINUTE_S // rpm)} or more"
            )
        return self


class OllamaConfig(EngineConfig):
    """An Ollama server."""

    ADDRESS = "url"
    SHOWS_PAGES = True

    kind: Literal["ollama"] = "ollama"
    url: str | None = None
    keep_alive: str = "30m"
    """For how long it keeps a model loaded after a call."""


class OpenAIConfig(EngineConfig):
    """Whatever speaks OpenAI's chat completions."""

    ADDRESS = "base_url"
    SHOWS_PAGES = True

    kind: Literal["openai"] = "openai"
    base_url: str | None = None
    provider_batch: Literal["openai", "openrouter"] | None = None


class AnthropicConfig(EngineConfig):
    """Anthropic's Messages API."""

    ADDRESS = "base_url"

    kind: Literal["anthropic"] = "anthropic"
    base_url: str | None = Field(default=DEFAULT_ANTHROPIC_URL, validate_default=True)
    model: str | None = Field(default=DEFAULT_ANTHROPIC_MODEL, min_length=1)
    context_tokens: PositiveInt = 200_000
    provider_batch: Literal["anthropic"] | None = None

    @field_validator("base_url")
    @classmethod
    def _in_the_building(cls, url: str | None, given: ValidationInfo) -> str | None:
        if given.data.get("zone") is Zone.LOCAL and url == DEFAULT_ANTHROPIC_URL:
            raise PydanticCustomError(
                "address", "Anthropic's own service is not in zone local; name a server that is"
            )
        return url


_S3_PREFIX = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[-!_*'().a-zA-Z0-9]+)+$"
"""As jobs of batch inference take it."""


class BedrockConfig(EngineConfig):
    """AWS Bedrock, which never stands in the building."""

    ADDRESS = "endpoint_url"

    kind: Literal["bedrock"] = "bedrock"
    zone: Outside = Zone.FRONTIER
    region: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)+-\d+$")] | None = None
    """None: that of AWS's configuration on the hosts of its workers."""
    profile: str | None = Field(default=None, min_length=1)
    """Of AWS's configuration there; None: its default."""
    endpoint_url: str | None = None
    """Of a VPC endpoint; None: the region's own."""
    provider_batch: Literal["bedrock"] | None = None
    batch_s3: Annotated[str, Field(pattern=_S3_PREFIX)] | None = None
    """s3://BUCKET/PREFIX where requests and replies of its batch inference lie."""
    batch_role: Annotated[str, Field(pattern=r"^arn:")] | None = None
    """The role that Bedrock takes on to read and write there."""

    @model_validator(mode="after")
    def _batches_have_a_place(self) -> Self:
        needed = {
            "batch_s3": "s3://BUCKET/PREFIX, where requests and replies lie",
            "batch_role": "the ARN of a role that Bedrock may take on to read and write there",
        }
        missing = [f"{key} ({what})" for key, what in needed.items() if getattr(self, key) is None]
        if self.provider_batch is not None and missing:
            raise ValueError(f'provider_batch = "bedrock" needs {" and ".join(missing)}')
        return self


class ReplicateConfig(EngineConfig):
    """Models that run at Replicate, which is never in the building."""

    ADDRESS = "base_url"

    kind: Literal["replicate"] = "replicate"
    zone: Outside = Zone.FRONTIER
    base_url: str | None = DEFAULT_REPLICATE_URL
    cold_start_s: PositiveInt = 600
    """How long a model may take to start before it runs; `timeout_s` counts from then on."""
    usd_per_second: Price | None = None
    """What a second of its hardware costs; None: its models have prices per token."""

    @property
    def second_price(self) -> Decimal | None:
        """As stated."""
        return self.usd_per_second


class EmbeddedConfig(EngineConfig):
    """The model that comes with Docmill, with and without its adapter."""

    kind: Literal["embedded"] = "embedded"
    adapter: str | None = None
    """A LoRA in GGUF, by its path; "": none; None: the one that comes with Docmill."""
    adapter_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of that file; empty: there is none. It is found out, whatever a file says."""

    @property
    def served(self) -> str:
        """The name of the model with its adapter, where it has one: it says which."""
        return self._named(tuned_name(self.adapter_digest))

    def model_for(self, task: TaskType) -> str:
        """The name of the model that jobs of a task are asked of: an adapter of one's own is for
        all, the one that comes with Docmill for what it does better than the bare model."""
        is_tuned_for = self.adapter is not None or task in SHIPPED_ADAPTER_FOR
        return self.served if is_tuned_for else self._named(EMBEDDED_MODEL)

    @property
    def offered(self) -> tuple[str, ...]:
        """The names of all that it serves: with its adapter, and always without."""
        return tuple(dict.fromkeys((self.served, self._named(EMBEDDED_MODEL))))

    def carries_examples(self, model: str) -> bool:
        """An adapter is trained on prompts without examples."""
        return not is_tuned(model) and super().carries_examples(model)

    def weighing(self, model: str) -> str:
        """The adapter that comes with Docmill never met most labels; one of one's own did."""
        return WEIGHING if self.adapter is None and is_tuned(model) else ""

    def _named(self, model: str) -> str:
        return (STAND_IN if self.stand_in else "") + model


EMBEDDED = "embedded"

AnyEngineConfig = Annotated[
    OllamaConfig
    | OpenAIConfig
    | AnthropicConfig
    | BedrockConfig
    | ReplicateConfig
    | EmbeddedConfig,
    Field(discriminator="kind"),
]

KINDS: Mapping[str, type[EngineConfig]] = {
    "ollama": OllamaConfig,
    "openai": OpenAIConfig,
    "anthropic": AnthropicConfig,
    "bedrock": BedrockConfig,
    "replicate": ReplicateConfig,
    EMBEDDED: EmbeddedConfig,
}
"""The table of an engine in docmill.toml, by its kind."""

ADDRESSES = tuple(one.ADDRESS for one in KINDS.values() if one.ADDRESS is not None)


def default_engines() -> dict[str, dict[str, Any]]:
    """Ollama where it usually is, and a gateway for the frontier, as docmill.toml would say it."""
    return {
        LOCAL: {
            "zone": Zone.LOCAL,
            "kind": "ollama",
            "url": DEFAULT_OLLAMA_URL,
            "model": DEFAULT_LOCAL_MODEL,
        },
        FRONTIER: {
            "zone": Zone.FRONTIER,
            "kind": "openai",
            "base_url": DEFAULT_FRONTIER_URL,
            "model": DEFAULT_FRONTIER_MODEL,
            "max_in_flight": 32,
            "context_tokens": 128_000,
        },
    }


def _kept(kind: object) -> tuple[str, ...]:
    """What one of these two keeps of its defaults when it becomes another kind of engine: its model
    only where that kind has none of its own."""
    config = KINDS.get(str(kind))
    has_model = config is not None and config.model_fields["model"].default is not None
    return ("zone",) if has_model else ("zone", "model")


def filled_engines(given: Any) -> Any:
    """The user's engines over the default ones, key by key, so that a table may be partial."""
    if not isinstance(given, dict):
        return given
    engines = default_engines()
    for name, value in given.items():
        known = engines.get(str(name), {})
        if isinstance(value, dict):
            kind = value.get("kind", known.get("kind"))
            if kind != known.get("kind"):
                known = {key: known[key] for key in _kept(kind) if key in known}
            value = {**known, **value}
        engines[str(name)] = value
    return engines
