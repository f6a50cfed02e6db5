"""The part of a schema that every engine compiles, for engines make a grammar of what they get.

One that cannot do so refuses the prompt, ignores the schema or dies: a look-ahead ends Ollama 0.24,
repeats beyond 2,000 are refused or meet a hole in 0.33. So an engine gets types, required fields,
enums, small bounds and plain patterns, with references put in place. Answers are checked against
the whole schema afterwards (worker/calls/answer.py), so nothing that is left out here is given up.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from models.schema import target
from worker.jsonb import canonical
from worker.llm.patterns import plain_pattern

MOST_REPEATS = 1_000
"""Items, characters and repeats that an engine is asked to count to."""

MOST_NODES = 2_000
"""Schemas within a schema, references put in place. Each that names two others would double it."""

UNROLLED = 2
"""How often a schema stands within itself."""

CHARS_PER_TOKEN = 1.2
"""Digits and Indian scripts come to little more than one character a token; a bound string must end
before the output limit whatever it is made of."""

_BROUGHT_IN = frozenset({"$ref", "allOf"})
_KEPT = frozenset({"type", "enum", "description", "required"})
_SCHEMAS = frozenset({"items", "additionalProperties"})
_LISTS = frozenset({"anyOf", "prefixItems"})
_BOUNDS = frozenset({"minItems", "maxItems", "minLength", "maxLength"})
_RANGES = frozenset({"minimum", "maximum"})
_FORMATS = frozenset({"date", "time", "date-time", "uuid"})
_SAY_NOTHING = frozenset(
    {
        "$schema",
        "$id",
        "$anchor",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "default",
        "examples",
    }
    | {
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    }
)
"""Words that hold no answer to anything."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an engine gets of a schema. `left_out`: what it does not hold by itself, in the order
    of the schema, each as `customer/id: pattern`."""

    schema: Mapping[str, Any]
    left_out: tuple[str, ...] = ()


def grammar(schema: Mapping[str, Any]) -> Grammar:
    """The part of a schema that every engine compiles. Never raises."""
    return _grammar(canonical(schema))


@lru_cache(maxsize=512)
def _grammar(schema: bytes) -> Grammar:
    cut = _Cut(json.loads(schema))
    kept = cut.of(cut.root, ())
    return Grammar(kept, tuple(dict.fromkeys(cut.left_out)))


@dataclass(slots=True)
class _Cut:
    root: Mapping[str, Any]
    left_out: list[str] = field(default_factory=list)
    _nodes: int = 0

    def of(
        self, schema: Any, path: tuple[str, ...], within: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The part of a schema that stands at `path`, reached by the references `within`."""
        if not isinstance(schema, Mapping):  # true: anything; false, which no grammar can say
            return {}
        self._nodes += 1
        if self._nodes > MOST_NODES:
            return self._drop(path, "more than fits into a grammar")
        kept: dict[str, Any] = {}
        for word in sorted(schema, key=_BROUGHT_IN.__contains__):  # what it says itself goes first
            for part in self._parts(word, schema[word], schema, path, within):
                self._join(kept, part, path, word)
        return kept

    def _parts(
        self,
        word: str,
        value: Any,
        schema: Mapping[str, Any],
        path: tuple[str, ...],
        within: tuple[str, ...],
    ) -> Iterator[dict[str, Any]]:
        """What stays of one word of a schema."""
        if word == "$ref":
            yield self._referred(value, path, within)
        elif word == "allOf":
            yield from (self.of(each, path, within) for each in value)
        elif word in _LISTS or word == "oneOf":
            listed = [self.of(each, path, within) for each in value]
            # that no other of them matches is left to the check
            yield {"anyOf" if word == "oneOf" else word: listed}
        elif word == "properties":
            yield {word: {k: self.of(v, (*path, k), within) for k, v in value.items()}}
        elif word in _SCHEMAS:
            inner = (*path, "*")
            yield {word: value if isinstance(value, bool) else self.of(value, inner, within)}
        else:
            yield self._value(word, value, schema, path)

    def _join(
        self, kept: dict[str, Any], part: dict[str, Any], path: tuple[str, ...], word: str
    ) -> None:
        """Add what else a schema says of the same value, unless an engine would have to choose."""
        for key, value in part.items():
            if key == "properties":
                kept[key] = {**kept.get(key, {}), **value}
            elif key == "required":
                kept[key] = list(dict.fromkeys([*kept.get(key, ()), *value]))
            elif kept.setdefault(key, value) != value and key != "description":
                self._drop(path, f"{word} ({key})")

    def _value(
        self, word: str, value: Any, schema: Mapping[str, Any], path: tuple[str, ...]
    ) -> dict[str, Any]:
        """What stays of a word that no schema stands under."""
        small = isinstance(value, int | float) and abs(value) <= MOST_REPEATS
        if word in _BOUNDS and small:
            return {word: value}
        if word in _RANGES and schema.get("type") == "integer" and isinstance(value, int):
            return {word: value}
        if word == "pattern" and (plain := plain_pattern(str(value), MOST_REPEATS)) is not None:
            return {word: plain}
        if word == "format" and value in _FORMATS:
            return {word: value}
        if word in _SAY_NOTHING:
            return {}
        if word in _KEPT:
            return {word: value}
        if word == "const":
            return {"enum": [value]}
        return self._drop(path, word)

    def _referred(self, ref: Any, path: tuple[str, ...], within: tuple[str, ...]) -> dict[str, Any]:
        found = target(self.root, str(ref))
        if found is None:
            return self._drop(path, f"$ref {ref}")
        if within.count(ref) >= UNROLLED:
            return self._drop(path, "recursion")
        return self.of(found, path, (*within, ref))

    def _drop(self, path: tuple[str, ...], what: str) -> dict[str, Any]:
        where = "/".join(path)
        self.left_out.append(f"{where}: {what}" if where else what)
        return {}


def bounded(schema: Mapping[str, Any], max_tokens: int) -> dict[str, Any]:
    """The schema for generation with every free string bounded, for models that ramble.

    Only what the engine generates is bounded so; answers are checked against the user's schema.
    """
    strings = max(1, _count_strings(schema))
    most = min(max(24, int(max_tokens * CHARS_PER_TOKEN / strings) - 16), MOST_REPEATS)
    result: dict[str, Any] = _bound(schema, most)
    return result


def _count_strings(node: Any) -> int:
    if isinstance(node, Mapping):
        return int(_is_free_string(node)) + sum(map(_count_strings, node.values()))
    return sum(map(_count_strings, node)) if isinstance(node, list) else 0


def _is_free_string(node: Mapping[str, Any]) -> bool:
    kinds = node.get("type")
    is_string = kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
    return is_string and "enum" not in node and "maxLength" not in node


def _bound(node: Any, most: int) -> Any:
    if isinstance(node, Mapping):
        copy = {key: _bound(value, most) for key, value in node.items()}
        return {**copy, "maxLength": most} if _is_free_string(node) else copy
    return [_bound(item, most) for item in node] if isinstance(node, list) else node
