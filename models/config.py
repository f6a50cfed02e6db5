"""docmill.toml: engines, tasks, languages, limits and prices, checked key by key.

All of it is optional. An unknown key, engine, model or task is an error that names the key and
the allowed values.
"""

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from models.errors import ConfigError
from models.words import TaskType, Tier

Price = Annotated[Decimal, Field(ge=0)]


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
    tpm: PositiveInt | None = None
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


class PriceConfig(Section):
    """A price that overrides the library, from a date on, in USD per million tokens."""

    input_per_mtok: Price
    output_per_mtok: Price
    cached_per_mtok: Price | None = None
    from_: date | None = Field(default=None, alias="from")


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
    prices: dict[str, PriceConfig] = Field(default_factory=dict)
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
    "prices": PriceConfig,
}


def _allowed(loc: tuple[Any, ...]) -> str:
    section = Config if len(loc) == 1 else _SECTIONS.get(str(loc[0]), Config)
    names = (field.alias or name for name, field in section.model_fields.items())
    return ", ".join(names)
