"""docmill.toml: engines, tasks, languages, limits and prices, checked key by key.

All of it is optional. An unknown key, engine, model or task is an error that names the key and
the allowed values.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, get_args

import regex
from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models.engines import (
    CLOUD,
    FRONTIER,
    LOCAL,
    AnyEngineConfig,
    EngineName,
    Section,
    filled_engines,
)
from models.prices import Price
from models.reading import ReadingConfig
from models.words import TaskType, Zone

MAX_TOKENS = {
    TaskType.EXTRACTION: 512,
    TaskType.CLASSIFICATION: 96,
    TaskType.SIMPLE_CODE: 1024,
    TaskType.SUMMARY: 512,
    TaskType.REASONING: 1024,
}
"""Output limit per task type, in tokens; also what a call reserves of the budget."""

FRONTIER_TASKS = frozenset({TaskType.SUMMARY, TaskType.REASONING})


class TaskConfig(Section):
    """Where one task type runs, where it goes from there, and how much it may write."""

    engine: str
    model: str = Field(min_length=1)
    escalate: tuple[str, ...] = ()
    """ENGINE/MODEL in turn, or ENGINE for its own model: asked where an answer is not good
    enough."""
    max_tokens: PositiveInt = 512

    @field_validator("escalate", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class LanguageConfig(Section):
    """A local model that is better at one language."""

    model: str = Field(min_length=1)
    engine: str = LOCAL


Share = Annotated[float, Field(ge=0, le=1)]


class ClassifierConfig(Section):
    """How the task type of an ask is found, where its user names none."""

    model: str = Field(min_length=1)
    engine: str = LOCAL
    fallback: TaskType = TaskType.REASONING
    """What a job counts as when no verdict can be had, and the row says so."""
    sure: Share = 0.75
    """How likely right a verdict must be for the local model not to be asked. 78 % of the public
    asks reach it, and 96 % of those are right (part o of the benchmarks)."""
    doubt: Share = 0.5
    """Below this a verdict is more likely wrong than right, and the job goes to the frontier where
    its policy allows. 0: never."""


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
    ocr_seconds: PositiveInt = 120
    """A page, as the two below."""
    ocr_memory_mb: PositiveInt = 4_096
    ocr_megapixels: PositiveInt = 100
    """Of an image as it is stored. Pages of PDFs are drawn as large as OCR wants them."""
    attempts: PositiveInt = 5
    usd_per_day: Price | None = None
    """What frontier calls may cost in a day (UTC), all batches together."""


class EscalationConfig(Section):
    """How much of a batch has fields read a second time, by the next engine of a task's chain."""

    share: Share = 0.2
    """Of its jobs, rounded up so that one of a few may be; 0: none."""
    cost_usd: Price | None = None
    """What it may cost; None: what the budgets allow."""


class RetentionConfig(Section):
    """How long a batch's texts and answers are kept once it is finished."""

    days: PositiveInt | None = None
    """None: until somebody deletes them."""


class PriceConfig(Section):
    """A price that overrides the library, from a date on, in USD per million tokens."""

    input_per_mtok: Price
    output_per_mtok: Price
    cached_per_mtok: Price | None = None
    """Read from the provider's cache; as other input where it is not said."""
    cache_write_per_mtok: Price | None = None
    """Written into that cache; as other input where it is not said."""
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
        re.compile(pattern)  # its words for what is wrong are the known ones
        compiled = regex.compile(pattern)
    except (re.error, regex.error, ValueError, OverflowError, RecursionError) as exc:
        raise PydanticCustomError(
            "own_pattern", "not a regular expression: {problem}", {"problem": str(exc)}
        ) from exc
    if compiled.search(""):
        raise PydanticCustomError(
            "own_pattern", "matches the empty string, and so every chunk; make it ask for more"
        )
    return pattern


class PinConfig(Section):
    """What keeps a chunk on the local engine: built-in patterns, own ones by name, and scans."""

    patterns: tuple[BuiltIn, ...] = ()
    own: dict[
        Annotated[str, AfterValidator(_own_name)], Annotated[str, AfterValidator(_own_pattern)]
    ] = Field(default_factory=dict)
    """Regular expressions as Python's `re` reads them."""
    scans: bool = True
    """Whether what OCR read stays local whatever it says: it may have misread what a pattern looks
    for."""


class SourcesConfig(Section):
    """Documents that are fetched from addresses by `submit`."""

    private: bool = False
    """Whether addresses of private networks may be asked, and http beside https."""
    download_mb: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    download_seconds: Annotated[float, Field(gt=0, le=86_400)] = 600.0


class Config(Section):
    """All of docmill.toml."""

    engines: dict[EngineName, AnyEngineConfig] = Field(default_factory=dict, validate_default=True)
    tasks: dict[TaskType, TaskConfig] = Field(default_factory=dict, validate_default=True)
    languages: dict[str, LanguageConfig] = Field(default_factory=dict)
    classifier: ClassifierConfig = Field(default={}, validate_default=True)
    chunks: ChunkConfig = ChunkConfig()
    limits: LimitsConfig = LimitsConfig()
    escalation: EscalationConfig = EscalationConfig()
    reading: ReadingConfig = ReadingConfig()
    sources: SourcesConfig = SourcesConfig()
    retention: RetentionConfig = RetentionConfig()
    pin: PinConfig = PinConfig()
    prices: dict[str, PriceConfig] = Field(default_factory=dict)
    prompts: dict[TaskType, PositiveInt] = Field(default_factory=dict)
    """The versions of prompts that count, where they are not the current ones that ship."""
    display: DisplayConfig | None = None

    @field_validator("engines", mode="before")
    @classmethod
    def _fill_engines(cls, value: Any) -> Any:
        return filled_engines(value)

    @field_validator("engines")
    @classmethod
    def _zones_of_their_names(
        cls, engines: dict[str, AnyEngineConfig]
    ) -> dict[str, AnyEngineConfig]:
        for zone in Zone:
            if engines[zone].zone is not zone:
                raise ValueError(
                    f"engines.{zone}.zone: the engine of this name stands in zone {zone}; give "
                    "one that stands elsewhere another name"
                )
        return engines

    @field_validator("tasks", mode="before")
    @classmethod
    def _fill_tasks(cls, value: Any, info: ValidationInfo) -> Any:
        return _filled_tasks(value, info.data.get("engines", {}))

    @field_validator("classifier", mode="before")
    @classmethod
    def _fill_classifier(cls, value: Any, info: ValidationInfo) -> Any:
        return _with_model(value, LOCAL, info.data.get("engines", {}))

    @model_validator(mode="after")
    def _names_name_something(self) -> Self:
        for key, place in self._places():
            engine = place.partition("/")[0]
            if engine not in self.engines:
                known = ", ".join(sorted(self.engines))
                raise ValueError(f"{key}: there is no engine {engine!r}; there are: {known}")
        for key, engine in (
            ("classifier.engine", self.classifier.engine),
            *((f"languages.{name}.engine", one.engine) for name, one in self.languages.items()),
        ):
            if self.engines[engine].zone is not Zone.LOCAL:
                raise ValueError(f"{key}: {engine} is not in zone local, and this must be")
        return self

    @model_validator(mode="after")
    def _pages_stay_in_the_building(self) -> Self:
        seen_by = self.reading.seen_by
        if seen_by is not None:
            engine = self.engines[seen_by.engine]
            if engine.zone is not Zone.LOCAL:
                raise ValueError(
                    f"reading.ocr: {seen_by.engine} is not in zone local, and pictures of pages "
                    "never leave the building"
                )
            if not engine.SHOWS_PAGES:
                raise ValueError(
                    f"reading.ocr: engines of kind {engine.kind} cannot be shown pages; name one "
                    "of kind ollama or openai"
                )
        return self

    @model_validator(mode="after")
    def _steps_have_a_model(self) -> Self:
        for task, chosen in self.tasks.items():
            for place in chosen.escalate:
                if "/" not in place and self.engines[place].model is None:
                    raise ValueError(
                        f"tasks.{task}.escalate: engines.{place} names no model; write "
                        f"{place}/MODEL"
                    )
        return self

    @model_validator(mode="after")
    def _chains_do_not_turn_back(self) -> Self:
        for task, chosen in self.tasks.items():
            passed = {chosen.engine, f"{chosen.engine}/{chosen.model}"}
            for place in chosen.escalate:
                if place in passed:
                    raise ValueError(
                        f"tasks.{task}.escalate: {place} has been asked by then; name an engine or "
                        "a model that has not, or leave it out"
                    )
                passed.add(place)
        return self

    @model_validator(mode="after")
    def _local_models_are_local(self) -> Self:
        for key, engine, model in self._models():
            if self.engines[engine].kind == "ollama" and model.endswith(CLOUD):
                raise ValueError(
                    f"{key}: {model!r} runs on the maker's servers, not on this Ollama; "
                    "choose a model that is pulled"
                )
        return self

    def _places(self) -> Iterator[tuple[str, str]]:
        yield "classifier.engine", self.classifier.engine
        for language, chosen in self.languages.items():
            yield f"languages.{language}.engine", chosen.engine
        if self.reading.seen_by is not None:
            yield "reading.ocr", self.reading.seen_by.engine
        for task, routed in self.tasks.items():
            yield f"tasks.{task}.engine", routed.engine
            for place in routed.escalate:
                yield f"tasks.{task}.escalate", place

    def _models(self) -> Iterator[tuple[str, str, str]]:
        """Every model that is named, as (key, engine, model)."""
        for name, engine in self.engines.items():
            if engine.model is not None:
                yield f"engines.{name}.model", name, engine.model
        yield "classifier.model", self.classifier.engine, self.classifier.model
        for language, chosen in self.languages.items():
            yield f"languages.{language}.model", chosen.engine, chosen.model
        if self.reading.seen_by is not None:
            yield "reading.ocr", self.reading.seen_by.engine, self.reading.seen_by.model
        for task, routed in self.tasks.items():
            yield f"tasks.{task}.model", routed.engine, routed.model
            for place in routed.escalate:
                name, _, model = place.partition("/")
                yield f"tasks.{task}.escalate", name, model

    def task(self, task: TaskType) -> TaskConfig:
        """What to do with a task type."""
        return self.tasks[task]

    def in_zone(self, zone: Zone) -> dict[str, AnyEngineConfig]:
        """The engines that stand there, by name."""
        return {name: one for name, one in self.engines.items() if one.zone is zone}


def _filled_tasks(given: Any, engines: dict[str, AnyEngineConfig]) -> Any:
    """The user's tasks over the default ones, key by key, so that a table may be partial."""
    if not isinstance(given, dict):
        return given
    tasks: dict[str, Any] = {str(task): {} for task in TaskType} | {
        str(k): v for k, v in given.items()
    }
    return {name: _filled_task(name, value, engines) for name, value in tasks.items()}


def _filled_task(name: str, value: Any, engines: dict[str, AnyEngineConfig]) -> Any:
    if not isinstance(value, dict) or name not in set(TaskType):
        return value
    task = TaskType(name)
    home = FRONTIER if task in FRONTIER_TASKS else LOCAL
    return _with_model({"max_tokens": MAX_TOKENS[task], **value}, home, engines)


def _with_model(value: Any, home: str, engines: dict[str, AnyEngineConfig]) -> Any:
    """With the engine that it has unless it names one, and that engine's model."""
    if not isinstance(value, dict):
        return value
    chosen = engines.get(str(value.get("engine", home)))
    model = "-" if chosen is None else chosen.model  # what is wrong with the engine is said there
    return {"engine": home, **({"model": model} if model is not None else {}), **value}
