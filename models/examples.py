"""Examples that an ask shows its model: its own, or the nearest rows of a gold set."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.schema import place, validator
from models.words import TaskType

MOST_TEXT_CHARS = 8_000
MOST_CHARS = 20_000
"""Of the examples of an ask together, texts and answers."""

NEAREST = 3
"""Rows of a gold set that are shown, unless it is said."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its right answer."""

    text: str
    answer: Mapping[str, Any]

    @property
    def chars(self) -> int:
        """Its size."""
        return len(self.text) + len(json.dumps(self.answer, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Own:
    """The ask's own examples, in the user's order. None at all: its model is shown none."""

    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each text those train rows of a gold set that are most like it."""

    gold: str
    most: int = NEAREST


Examples = Own | Nearest


def as_json(examples: Examples) -> Any:
    """As `asks.examples` holds it."""
    match examples:
        case Own(own):
            return [{"text": each.text, "answer": dict(each.answer)} for each in own]
        case Nearest(gold, most):
            return {"gold": gold, "most": most}


def from_json(stored: Any) -> Examples | None:
    """What `as_json` made; None: the prompt's own examples."""
    match stored:
        case None:
            return None
        case {"gold": gold, "most": most}:
            return Nearest(gold, most)
        case _:
            return Own(tuple(Example(each["text"], each["answer"]) for each in stored))


def said(answer: Any) -> Iterator[str | float]:
    """Every text and number of an answer, in its order; true and false are judgements."""
    match answer:
        case Mapping():
            for each in answer.values():
                yield from said(each)
        case list():
            for each in answer:
                yield from said(each)
        case str() | int() | float() if not isinstance(answer, bool):
            yield answer


def complete(answer: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """An answer in the order of its schema, in which what is left out is null."""
    fields = schema.get("properties", {})
    missing = [name for name in schema.get("required", ()) if name not in answer]
    filled = {**answer, **dict.fromkeys(missing)}
    known = {name: filled[name] for name in fields if name in filled}
    return known | filled


def check(
    examples: tuple[Example, ...], schema: Mapping[str, Any] | None, task: TaskType | None
) -> None:
    """Raises ValueError that names the example which is too long, or no answer to the ask."""
    for number, example in enumerate(examples, start=1):
        try:
            if not example.text.strip():
                raise ValueError("text: an example needs words")
            if len(example.text) > MOST_TEXT_CHARS:
                raise ValueError(
                    f"text: has {len(example.text):,} characters, at most {MOST_TEXT_CHARS:,}; "
                    "show the lines that matter"
                )
            _check_answer(example.answer, schema, task)
        except ValueError as exc:
            raise ValueError(f"example {number}: {exc}") from exc
    if (size := sum(example.chars for example in examples)) > MOST_CHARS:
        raise ValueError(
            f"examples: have {size:,} characters together, at most {MOST_CHARS:,}; each of them "
            "is sent with every text"
        )


def _check_answer(
    answer: Mapping[str, Any], schema: Mapping[str, Any] | None, task: TaskType | None
) -> None:
    if schema is not None:
        problem = next(validator(dict(schema)).iter_errors(dict(answer)), None)
        if problem is not None:
            raise ValueError(f"no answer to this ask: {place(problem)}{problem.message[:300]}")
    elif task is not TaskType.CLASSIFICATION or set(answer) != {"label"}:
        raise ValueError(
            "nothing says what an answer looks like: give the ask fields or a schema; without, "
            "examples have a label, and the ask `task: classification`"
        )
