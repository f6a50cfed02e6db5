"""The asks of our own that the shipped model is trained on, made from `asks.yaml`."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import cycle, islice
from typing import Any

import regex
import yaml

from models.words import TaskType

OF_EACH = 1000
"""Asks for each task, from all of its templates in turn: none is likelier than another before it is
read."""

ROUGH = 0.15
"""Share of asks that are written without capitals and without a mark at their end."""

_CHOICE = regex.compile(r"\[([^\[\]]*)\]")
_SLOT = regex.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Example:
    """An ask whose task is known."""

    ask: str
    schema: Mapping[str, Any] | None
    task: TaskType
    group: str
    """Whatever it has in common with others that are not to be tested by it: its template, its
    source."""


def own_asks(seed: int, of_each: int = OF_EACH) -> list[Example]:
    """Examples from all templates: the same ones for the same seed."""
    raw = yaml.safe_load(resources.files(__package__).joinpath("asks.yaml").read_bytes())
    maker = _Maker(raw["words"], random.Random(seed))  # noqa: S311  # nothing here is a secret
    return [
        Example(maker.ask(template), maker.schema(raw["schemas"][task]), TaskType(task), template)
        for task, templates in raw["asks"].items()
        for template in islice(cycle(templates), of_each)
    ]


class _Maker:
    def __init__(self, words: Mapping[str, list[str]], draw: random.Random) -> None:
        self._words = words
        self._draw = draw

    def ask(self, template: str) -> str:
        text = self._filled(template)
        return text.lower().rstrip(".?") if self._draw.random() < ROUGH else text

    def _filled(self, text: str) -> str:
        while found := _CHOICE.search(text):
            chosen = self._draw.choice(found[1].split("|"))
            text = text[: found.start()] + chosen + text[found.end() :]
        return _SLOT.sub(lambda slot: self._filled(self._word(slot[1])), text)

    def _word(self, name: str) -> str:
        match name:
            case "n":
                return str(self._draw.choice((2, 3, 4, 5, 7, 8, 12, 15, 20, 25, 40, 60, 90, 365)))
            case "year":
                return str(self._draw.randint(1890, 2026))
            case "sum":
                return self._draw.choice(("$4,000", "Rs. 12,50,000", "EUR 900", "£75", "₹3 lakh"))
            case _:
                return str(self._draw.choice(self._words[name]))

    def schema(self, shares: Mapping[str, float]) -> Mapping[str, Any] | None:
        kinds = [*shares, "none"]
        weights = [*shares.values(), 1 - sum(shares.values())]
        [kind] = self._draw.choices(kinds, weights)
        return _SCHEMAS[kind](self._draw.randint(2, 6))


def _fields(number: int, **others: Any) -> Mapping[str, Any]:
    fields = {f"field_{n}": {"type": "string"} for n in range(number)} | others
    return {"type": "object", "properties": fields}


_SCHEMAS: Mapping[str, Callable[[int], Mapping[str, Any] | None]] = {
    "none": lambda _: None,
    "fields": _fields,
    "field": lambda _: _fields(1),
    "list": lambda _: _fields(0, entries={"type": "array"}),
    "enum": lambda _: _fields(0, label={"enum": ["a", "b"]}),
    "boolean": lambda _: _fields(0, holds={"type": "boolean"}),
    "judged": lambda _: _fields(1, verdict={"enum": ["yes", "no"]}),
}
