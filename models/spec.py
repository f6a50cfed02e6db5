"""What a user asks for: a spec file or the equivalent command line, checked key by key."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models.bounds import MOST_EXAMPLES, MOST_PRIORITY, MOST_USD, NOT_STORED
from models.checks import MOST_CHECKS, Format, OwnChecks, read_check, read_format
from models.config_file import explain
from models.deadline import parse_deadline
from models.errors import ConfigError
from models.examples import (
    NEAREST,
    Example,
    Examples,
    Nearest,
    Own,
    check,
    complete,
)
from models.schema import validator, with_nulls
from models.words import Policy, Scope, TaskType

T = TypeVar("T")


def _storable(value: T) -> T:
    """What Postgres can store: no NUL and no half of a surrogate pair in any text of it."""
    for text in _texts(value):
        if found := NOT_STORED.search(text):
            raise PydanticCustomError(
                "not_stored",
                "holds {sign}, which cannot be stored; remove it",
                {"sign": ascii(found[0])},
            )
    return value


def _texts(value: object) -> Iterator[str]:
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as table:
                left += [*table.keys(), *table.values()]
            case list() as items:
                left += items


def _deadline(value: object) -> object:
    """A deadline in any of its forms, which has to lie ahead."""
    if value is None:
        return None
    try:
        return parse_deadline(value, datetime.now().astimezone())
    except ValueError as exc:
        raise ValueError(f"deadline: {exc}") from exc


STORABLE = AfterValidator(_storable)
MOST_FORMATS = 500
MOST_PROMPT = 9_999
PLACE = r"^[^/\s]+/\S+$"
FIELD_NAME = r"^[^\s\"{}\[\]:,]{1,64}$"


class GivenExample(BaseModel):
    """A text with its right answer: `answer` whole, `fields` of which null may be left out, or a
    `label`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, STORABLE]
    answer: Annotated[dict[str, Any] | None, STORABLE] = None
    fields: Annotated[dict[str, Any] | None, STORABLE] = None
    label: Annotated[str | None, STORABLE] = None

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        given = [each for each in (self.answer, self.fields, self.label) if each is not None]
        if len(given) != 1:
            raise ValueError("give an example one of answer, fields and label")
        return self

    def example(self, schema: Mapping[str, Any]) -> Example:
        """The same as an answer to an ask of this schema."""
        if self.label is not None:
            return Example(self.text, {"label": self.label})
        if self.fields is not None:
            return Example(self.text, complete(self.fields, schema))
        return Example(self.text, self.answer or {})


class GoldExamples(BaseModel):
    """The nearest rows of a gold set as examples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gold: Annotated[str, Field(min_length=1, max_length=80), STORABLE]
    most: Annotated[int, Field(ge=1, le=MOST_EXAMPLES)] = NEAREST


FROM_GOLD = "gold:"


def _spelled_out(value: Any) -> Any:
    """`gold:NAME` is a table in short."""
    if isinstance(value, str) and value.startswith(FROM_GOLD):
        return {"gold": value.removeprefix(FROM_GOLD).strip()}
    return value


def _of_kind(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return "own"
    return "gold" if isinstance(value, dict | GoldExamples) else None


GivenExamples = Annotated[
    Annotated[tuple[GivenExample, ...], Field(max_length=MOST_EXAMPLES), Tag("own")]
    | Annotated[GoldExamples, Tag("gold")],
    Discriminator(
        _of_kind,
        custom_error_type="examples",
        custom_error_message="a list of examples, or gold:NAME",
    ),
]


class Ask(BaseModel):
    """One instruction, with what its answer must look like and what it applies to."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    text: Annotated[str, Field(alias="ask", min_length=1, max_length=20_000), STORABLE]
    name: Annotated[str | None, Field(min_length=1, max_length=200), STORABLE] = None
    fields: tuple[Annotated[str, Field(pattern=FIELD_NAME), STORABLE], ...] = ()
    json_schema: Annotated[dict[str, Any] | None, Field(alias="schema"), STORABLE] = None
    task: TaskType | None = None
    """None: the classify step decides."""
    scope: Scope = Scope.CHUNK
    important: tuple[Annotated[str, STORABLE], ...] = ()
    """Fields that are read a second time even where they are only to be checked."""
    documents: tuple[Annotated[str, STORABLE], ...] = ()
    """Glob patterns on the document's file name or path; empty: every document."""
    checks: Annotated[tuple[Annotated[str, STORABLE], ...], Field(max_length=MOST_CHECKS)] = ()
    """Conditions that a right answer fulfils (models/checks.py)."""
    formats: Annotated[dict[Annotated[str, STORABLE], Format], Field(max_length=MOST_FORMATS)] = {}
    """What the values of fields are, by their names: they are normalised beside their words."""
    place: Annotated[str | None, Field(alias="model", pattern=PLACE, max_length=180), STORABLE] = (
        None
    )
    """ENGINE/MODEL that alone answers it, whatever the tasks say; None: the configuration says."""
    given_examples: Annotated[
        GivenExamples | None, Field(alias="examples"), BeforeValidator(_spelled_out)
    ] = None
    """What its model is shown; None: the prompt's own examples."""
    prompt: Annotated[int, Field(ge=1, le=MOST_PROMPT)] | None = None
    """The version of its task's prompt, where its task is given; None: the configuration says."""

    @model_validator(mode="before")
    @classmethod
    def _auto_is_none(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("task") == "auto":
            return {**value, "task": None}
        return value

    @field_validator("json_schema")
    @classmethod
    def _nulls_are_said(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if value is None else with_nulls(value)

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if self.fields and self.json_schema is not None:
            raise ValueError("give fields or a schema for an ask, not both")
        if len(set(self.fields)) < len(self.fields):
            raise ValueError("a field stands twice in fields")
        if not self.text.strip():
            raise ValueError("ask: an ask needs words")
        if self.json_schema is not None:
            check_schema(self.json_schema)
        _check_own(self.checks, self.formats, self.answer_schema)
        if self.prompt is not None and self.task is None:
            raise ValueError("prompt: is a version of a task's prompt; give the ask its task, too")
        if isinstance(self.examples, Own):
            check(self.examples.examples, self.answer_schema, self.task)
        return self

    def own_checks(self, today: date) -> OwnChecks | None:
        """What the user checks beyond the schema; None: nothing."""
        if not self.checks and not self.formats:
            return None
        return OwnChecks(self.checks, tuple(self.formats.items()), today)

    @model_validator(mode="after")
    def _important_is_asked_for(self) -> Self:
        asked = (self.answer_schema or {}).get("properties", {})
        for name in self.important:
            if name not in asked:
                known = ", ".join(asked) or "none, give the ask fields or a schema"
                raise ValueError(f"important: there is no field {name!r}; there are: {known}")
        return self

    @property
    def examples(self) -> Examples | None:
        """What its model is shown; None: the prompt's own examples."""
        match self.given_examples:
            case None:
                return None
            case GoldExamples(gold=gold, most=most):
                return Nearest(gold, most)
            case own:
                schema = self.answer_schema or {}
                return Own(tuple(each.example(schema) for each in own))

    @property
    def label(self) -> str:
        """What results call this ask: its name, or else its text."""
        return self.name or self.text

    @property
    def answer_schema(self) -> dict[str, Any] | None:
        """The JSON Schema that answers must match: the user's, or one made from `fields`."""
        return self.json_schema if not self.fields else fields_schema(self.fields)


class Accept(BaseModel):
    """Which values are taken without a look."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: Annotated[float, Field(gt=0, lt=1)]
    """The share of the accepted values that may be wrong."""


class Spec(BaseModel):
    """A whole batch but for its documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asks: Annotated[tuple[Ask, ...], Field(min_length=1, max_length=100)]
    name: Annotated[str | None, Field(max_length=200), STORABLE] = None
    policy: Policy = Policy.ALLOW_FRONTIER
    allow_provider_batch: bool = False
    """Whether a provider may be handed in its texts in batches, at a lower price: it keeps them."""
    priority: Annotated[int, Field(ge=-MOST_PRIORITY, le=MOST_PRIORITY)] = 0
    max_cost: Annotated[Decimal | None, Field(ge=0, le=MOST_USD)] = None
    """USD; None: no limit."""
    deadline: Annotated[datetime | None, BeforeValidator(_deadline)] = None
    """When it should be finished; None: no matter when."""
    reuse: bool = True
    """Whether the answer to an identical request may be taken from the ledger."""
    accept: Accept | None = None
    """None: every value that the checks do not call sure is for review."""

    @model_validator(mode="after")
    def _what_stays_is_handed_to_nobody(self) -> Self:
        if self.allow_provider_batch and self.policy is Policy.LOCAL_ONLY:
            raise ValueError(
                "allow_provider_batch: nothing of a local-only batch leaves the building"
            )
        return self

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        labels = [ask.label for ask in self.asks]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"two asks are called {twice[0]!r}; give each its own name")
        return self


def _check_own(
    checks: tuple[str, ...], formats: dict[str, Format], schema: dict[str, Any] | None
) -> None:
    """Raises ValueError where a check cannot be read, or names what the ask does not have."""
    if schema is None:
        if checks or formats:
            raise ValueError(
                f"{'checks' if checks else 'formats'} are about fields: give fields or a schema too"
            )
        return
    for number, text in enumerate(checks, start=1):
        try:
            read_check(text, schema)
        except ValueError as exc:
            raise ValueError(f"check {number}, {text!r:.320}: {exc}") from exc
    for name in formats:
        try:
            read_format(name, schema)
        except ValueError as exc:
            raise ValueError(f"formats: {exc}") from exc


def fields_schema(fields: tuple[str, ...]) -> dict[str, Any]:
    """Each field is a string copied from the text, or null where the text does not say."""
    return {
        "type": "object",
        "properties": {name: {"type": ["string", "null"]} for name in fields},
        "required": list(fields),
        "additionalProperties": False,
    }


def check_schema(schema: dict[str, Any]) -> None:
    """Raises ValueError when this is no JSON Schema of an object."""
    validator(schema)
    if schema.get("type") != "object":
        raise ValueError(
            f'the schema must describe an object ("type": "object"), found {schema.get("type")!r}'
        )


def load_schema(path: Path) -> dict[str, Any]:
    """Read a JSON Schema file. Raises ConfigError naming the file and the problem."""
    try:
        schema = json.loads(path.read_text("utf-8"))
        if not isinstance(schema, dict):
            raise ValueError(f"not a JSON object but {type(schema).__name__}")
        check_schema(schema)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    return schema


class _Loader(yaml.SafeLoader):
    """YAML in which 18:00 is a time of day. YAML 1.1 reads a number to the base of sixty."""

    def construct_number_or_time(self, node: yaml.ScalarNode) -> int | str:
        """A whole number, or the words of a time."""
        return str(node.value) if ":" in node.value else self.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number_or_time)


def load_spec(path: Path) -> Spec:
    """Read a spec file. Raises ConfigError naming the file, the key and what is allowed."""
    try:
        raw = yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506  # a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a spec is a mapping with `asks`, found {type(raw).__name__}")
    return make_spec(raw, str(path))


def make_spec(raw: dict[str, Any], source: str) -> Spec:
    """Check a spec from any door; `source` names it in the error."""
    try:
        return Spec.model_validate(raw)
    except ValidationError as exc:
        raise ConfigError("\n".join(f"{source}: {line}" for line in _explained(exc))) from exc


INNER: Mapping[str, type[BaseModel]] = {
    "asks": Ask,
    "accept": Accept,
    "asks.examples.own": GivenExample,
    "asks.examples.gold": GoldExamples,
}
"""What stands under a key of a spec."""

_KINDS_OF_EXAMPLES = re.compile(r"(\.examples)\.(?:own|gold)\b(?!$)")
"""What pydantic puts into a place, and no spec file."""


def _explained(exc: ValidationError) -> list[str]:
    lines = []
    for error, line in zip(exc.errors(), explain(exc), strict=True):
        if error["type"] == "too_short" and len(exc.errors()) > 1:
            continue  # the asks that are missing are those that the other lines are about
        if error["type"] == "extra_forbidden":
            above = ".".join(str(part) for part in error["loc"][:-1] if not isinstance(part, int))
            model = INNER.get(above, Spec)
            names = ", ".join(f.alias or n for n, f in model.model_fields.items())
            line = f"unknown key {'.'.join(map(str, error['loc']))!r}; allowed here: {names}"
        lines.append(_KINDS_OF_EXAMPLES.sub(r"\1", line))
    return lines
