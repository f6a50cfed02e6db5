"""docmill.toml: engines, tasks, languages, limits and prices, checked key by key.

All of it is optional. An unknown key, engine, model or task is an error that names the key and
the allowed values.
"""

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models.errors import ConfigError
from models.words import TaskType, Tier

Price = Annotated[Decimal, Field(ge=0)]

MINUTE_S = 60

CLOUD = ("-cloud", ":cloud")
"""How names of models end that an Ollama only passes on to its maker's servers."""


class Section(BaseModel):
    """A table of docmill.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineConfig(Section):
    """One engine. `url` is for kind ollama, `base_url` for kind openai."""

    kind: Literal["ollama", "openai"]
    url: str | None = None
    base_url: str | None = None
    slots: PositiveInt = 4
    """Requests in flight per worker process; match OLLAMA_NUM_PARALLEL."""
    usd_per_hour: Price | None = None
    """What an hour of the machine costs; prices its engine seconds."""
    rpm: PositiveInt | None = None
    """Requests a minute."""
    tpm: PositiveInt | None = None
    """Tokens a minute, prompt and output together."""
    window_s: PositiveInt = 60
    """Seconds that the provider counts rpm and tpm over: at 10, a sixth of each in any 10 s."""
    max_in_flight: PositiveInt | None = None
    context_tokens: PositiveInt = 8192
    timeout_s: PositiveInt = 600
    keep_alive: str = "30m"
    short_answers: bool = False
    """Bound every free string by the output limit: for models that do not know when to stop."""

    @property
    def address(self) -> str:
        """Where it answers; empty when nothing was configured."""
        return (self.url if self.kind == "ollama" else self.base_url) or ""

    @model_validator(mode="after")
    def _a_window_holds_a_request(self) -> Self:
        if self.rpm is not None and self.rpm * self.window_s < MINUTE_S:
            raise ValueError(
                f"window_s = {self.window_s} with rpm = {self.rpm} is less than one request in a "
                f"window; make window_s {-(-MINUTE_S // self.rpm)} or more"
            )
        return self


class TaskConfig(Section):
    """Where one task type runs and how much it may write."""

    engine: Tier
    model: str = Field(min_length=1)
    escalate: Tier | None = None
    max_tokens: PositiveInt = 512


class LanguageConfig(Section):
    """A local model that is better at one language."""

    model: str = Field(min_length=1)


class ClassifierConfig(Section):
    """The local model that tags jobs with a task type."""

    model: str = Field(min_length=1)


class ChunkConfig(Section):
    """How documents are cut."""

    tokens: Annotated[int, Field(ge=50, le=100_000)] = 600


class LimitsConfig(Section):
    """Bounds on what input can make large."""

    file_mb: PositiveInt = 50
    pages: PositiveInt = 5_000
    characters: PositiveInt = 20_000_000
    read_seconds: PositiveInt = 120
    read_memory_mb: PositiveInt = 2_048
    attempts: PositiveInt = 5
    usd_per_day: Price | None = None
    """What frontier calls may cost in a day (UTC), all batches together."""


class PriceConfig(Section):
    """A price that overrides the library, from a date on, in USD per million tokens."""

    input_per_mtok: Price
    output_per_mtok: Price
    cached_per_mtok: Price | None = None
    from_: date | None = Field(default=None, alias="from")


class DisplayConfig(Section):
    """A currency that people see next to USD; the ledger and programs know USD only."""

    currency: str
    usd_rate: Annotated[Decimal, Field(gt=0)]
    """How many of it one USD is."""
    as_of: date | None = None

    @field_validator("currency")
    @classmethod
    def _another_currency(cls, value: str) -> str:
        if not re.fullmatch("[A-Z]{3}", value) or value == "USD":
            raise ValueError(
                "display.currency: three capital letters (ISO 4217) other than USD, such as INR; "
                f"found {value!r}"
            )
        return value


BuiltIn = Literal["pan", "aadhaar", "ifsc", "card", "email", "phone"]
"""Patterns of private data that need no configuring but their name."""


def _own_name(name: str) -> str:
    if name in get_args(BuiltIn):
        raise PydanticCustomError("own_name", "is the name of a built-in pattern; take another")
    if not 1 <= len(name) <= 64 or not name.isprintable() or "," in name:
        raise PydanticCustomError(
            "own_name", "a name has 1 to 64 printable characters and no comma"
        )
    return name


def _own_pattern(pattern: str) -> str:
    try:
        compiled = re.compile(pattern)
    except (re.error, ValueError, OverflowError, RecursionError) as exc:
        raise PydanticCustomError(
            "own_pattern", "not a regular expression: {problem}", {"problem": str(exc)}
        ) from exc
    if compiled.search(""):
        raise PydanticCustomError(
            "own_pattern", "matches the empty string, and so every chunk; make it ask for more"
        )
    return pattern


class PinConfig(Section):
    """What keeps a chunk on the local engine: built-in patterns, and own ones by name."""

    patterns: tuple[BuiltIn, ...] = ()
    own: dict[
        Annotated[str, AfterValidator(_own_name)], Annotated[str, AfterValidator(_own_pattern)]
    ] = Field(default_factory=dict)
    """Regular expressions as Python's `re` reads them."""


DEFAULT_NAME = "docmill.toml"
DEFAULT_LOCAL_MODEL = "phi4-mini"
DEFAULT_FRONTIER_MODEL = "anthropic/claude-sonnet-4-6"
DEFAULT_FRONTIER_URL = "https://api.aicredits.in/v1"
DEFAULT_OLLAMA_URL = "http://127.0.0.1:11434"

MAX_TOKENS = {
    TaskType.EXTRACTION: 512,
    TaskType.CLASSIFICATION: 96,
    TaskType.SIMPLE_CODE: 1024,
    TaskType.SUMMARY: 512,
    TaskType.REASONING: 1024,
}
"""Output limit per task type, in tokens; also what a call reserves of the budget."""

FRONTIER_TASKS = frozenset({TaskType.SUMMARY, TaskType.REASONING})


def default_tasks() -> dict[TaskType, TaskConfig]:
    """Small model for extraction, classification and code; frontier for the rest."""
    return {task: _default_task(task) for task in TaskType}


def _default_task(task: TaskType) -> TaskConfig:
    if task in FRONTIER_TASKS:
        return TaskConfig(
            engine=Tier.FRONTIER, model=DEFAULT_FRONTIER_MODEL, max_tokens=MAX_TOKENS[task]
        )
    return TaskConfig(engine=Tier.LOCAL, model=DEFAULT_LOCAL_MODEL, max_tokens=MAX_TOKENS[task])


def default_engines() -> dict[Tier, EngineConfig]:
    """Ollama where it usually is, and a gateway for the frontier."""
    return {
        Tier.LOCAL: EngineConfig(kind="ollama", url=DEFAULT_OLLAMA_URL),
        Tier.FRONTIER: EngineConfig(
            kind="openai",
            base_url=DEFAULT_FRONTIER_URL,
            max_in_flight=32,
            context_tokens=128_000,
        ),
    }


class Config(Section):
    """All of docmill.toml."""

    engines: dict[Tier, EngineConfig] = Field(default_factory=default_engines)
    tasks: dict[TaskType, TaskConfig] = Field(default_factory=default_tasks)
    languages: dict[str, LanguageConfig] = Field(default_factory=dict)
    classifier: ClassifierConfig = ClassifierConfig(model=DEFAULT_LOCAL_MODEL)
    chunks: ChunkConfig = ChunkConfig()
    limits: LimitsConfig = LimitsConfig()
    pin: PinConfig = PinConfig()
    prices: dict[str, PriceConfig] = Field(default_factory=dict)
    display: DisplayConfig | None = None
    _configured: frozenset[Tier] = PrivateAttr(default=frozenset())

    @property
    def configured(self) -> frozenset[Tier]:
        """The engines that docmill.toml itself names."""
        return self._configured

    @field_validator("engines", mode="before")
    @classmethod
    def _fill_engines(cls, value: Any) -> Any:
        return _filled(value, default_engines())

    @field_validator("tasks", mode="before")
    @classmethod
    def _fill_tasks(cls, value: Any) -> Any:
        return _filled(value, default_tasks())

    @model_validator(mode="after")
    def _only_local_escalates(self) -> Self:
        for task, chosen in self.tasks.items():
            if chosen.escalate is not None and chosen.engine == chosen.escalate:
                raise ValueError(
                    f"tasks.{task}.escalate is {chosen.escalate!s}, the engine that the task "
                    "already runs on; name the other one or leave it out"
                )
        return self

    @model_validator(mode="after")
    def _local_models_are_local(self) -> Self:
        if self.engines[Tier.LOCAL].kind == "ollama":
            for key, model in self._local_models():
                if model.endswith(CLOUD):
                    raise ValueError(
                        f"{key}: {model!r} runs on the maker's servers, not on this Ollama; "
                        "choose a model that is pulled"
                    )
        return self

    def _local_models(self) -> Iterator[tuple[str, str]]:
        yield "classifier.model", self.classifier.model
        for language, chosen in self.languages.items():
            yield f"languages.{language}.model", chosen.model
        for task, routed in self.tasks.items():
            if routed.engine is Tier.LOCAL:
                yield f"tasks.{task}.model", routed.model

    def task(self, task: TaskType) -> TaskConfig:
        """What to do with a task type."""
        return self.tasks[task]


def _filled(given: Any, defaults: dict[Any, Any]) -> Any:
    """The user's table over the default one, key by key, so that a table may be partial."""
    if not isinstance(given, dict):
        return given
    merged = {str(key): value.model_dump(exclude_unset=True) for key, value in defaults.items()}
    for key, value in given.items():
        known = merged.get(str(key), {})
        if isinstance(value, dict) and value.get("kind", known.get("kind")) == known.get("kind"):
            value = {**known, **value}
        merged[str(key)] = value
    return merged


def load_config(path: Path) -> Config:
    """Read docmill.toml; a missing one is empty, but a missing file of another name is an error.

    Raises ConfigError naming the file, the key, what was found and what is allowed.
    """
    if not path.exists() and path.name != DEFAULT_NAME:
        raise ConfigError(f"{path}: there is no such file; DOCMILL_CONFIG names it")
    try:
        raw = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    try:
        config = Config.model_validate(raw)
    except ValidationError as exc:
        raise ConfigError("\n".join(f"{path}: {line}" for line in explain(exc))) from exc
    config._configured = frozenset(Tier(name) for name in raw.get("engines", {}))
    return config


def explain(exc: ValidationError) -> list[str]:
    """One plain line per problem: the key, what is wrong and what is allowed."""
    return [_explained(error) for error in exc.errors()]


def _explained(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}; allowed here: {_allowed(error['loc'])}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    found = "" if error["type"] == "missing" else f", found {error['input']!r}"
    return f"{where}: {error['msg']}{found}"


_SECTIONS: dict[str, type[Section]] = {
    "engines": EngineConfig,
    "tasks": TaskConfig,
    "languages": LanguageConfig,
    "classifier": ClassifierConfig,
    "chunks": ChunkConfig,
    "limits": LimitsConfig,
    "pin": PinConfig,
    "prices": PriceConfig,
    "display": DisplayConfig,
}


def _allowed(loc: tuple[Any, ...]) -> str:
    section = Config if len(loc) == 1 else _SECTIONS.get(str(loc[0]), Config)
    names = (field.alias or name for name, field in section.model_fields.items())
    return ", ".join(names)
