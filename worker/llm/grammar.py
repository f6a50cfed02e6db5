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

from models.schema import DEEPEST, target
from worker.jsonb import dumps
from worker.llm.patterns import plain_pattern
from worker.tokens import estimate

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
_SHAPES = frozenset({"type", "enum", "anyOf", "properties", "items", "prefixItems", "pattern"})
"""Words by which an engine knows what to write."""
_ABOUT = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "maxItems": "array",
    "pattern": "string",
    "format": "string",
    "minLength": "string",
    "maxLength": "string",
}
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


ANYTHING = ("string", "number", "boolean", "null", "array", "object")
"""What a schema that says nothing stands for: left empty, some engines take it for an object, and
others for a mistake."""


def grammar(schema: Mapping[str, Any]) -> Grammar:
    """The part of a schema that every engine compiles, its fields in the user's order: what is
    written first, a reason say, is thought of first."""
    return _grammar(dumps(schema))


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
        return _typed(self._part(schema, path, within))

    def _part(self, schema: Any, path: tuple[str, ...], within: tuple[str, ...]) -> dict[str, Any]:
        """The same, where it may also say less than a whole schema, as in allOf."""
        if not isinstance(schema, Mapping):
            return {} if schema is True else self._drop(path, "false")
        self._nodes += 1
        if self._nodes > MOST_NODES or len(path) + len(within) > DEEPEST:
            return self._drop(path, "more than fits into a grammar")
        kept: dict[str, Any] = {}
        for word in sorted(schema, key=_BROUGHT_IN.__contains__):  # what it says itself goes first
            for part in self._parts(word, schema[word], schema, path, within):
                self._join(kept, part, path, word)
        return self._without_doubt(kept, path)

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
            yield from (self._part(each, path, within) for each in value)
        elif word in ("anyOf", "oneOf"):  # that no other of them matches is left to the check
            yield {"anyOf": [self._part(each, path, within) for each in value]}
        elif word == "prefixItems":
            yield {word: [self.of(each, (*path, "*"), within) for each in value]}
        elif word == "properties":
            yield {word: {k: self.of(v, (*path, k), within) for k, v in value.items()}}
        elif word in _SCHEMAS and not isinstance(value, bool):
            yield {word: self.of(value, (*path, "*"), within)}
        elif word != "items" or value is False:  # true says nothing
            yield self._value(word, value, schema, path)

    def _without_doubt(self, kept: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        """Without what engines read in different ways: a choice beside other words, of which they
        take the choice alone; and items beside those of a tuple."""
        if "prefixItems" in kept and kept.pop("items", None) is not None:
            self._drop(path, "items")
        choices = kept.pop("anyOf", None)
        if choices is None:
            return kept
        if not all(_SHAPES & choice.keys() for choice in choices):
            if _SHAPES & kept.keys():  # as in anyOf of nothing but required
                self._drop(path, "anyOf")
                return kept
            return {**kept, "anyOf": [_typed(choice) for choice in choices]}
        rest = {key: value for key, value in kept.items() if key != "description"}
        said = {key: value for key, value in kept.items() if key == "description"}
        return {**said, "anyOf": [self._both(rest, choice, path) for choice in choices]}

    def _both(
        self, rest: Mapping[str, Any], choice: dict[str, Any], path: tuple[str, ...]
    ) -> dict[str, Any]:
        both = dict(rest)
        self._join(both, choice, path, "anyOf")
        return _typed(both)

    def _join(
        self, kept: dict[str, Any], part: dict[str, Any], path: tuple[str, ...], word: str
    ) -> None:
        """Add what else a schema says of the same value, unless an engine would have to choose."""
        for key, value in part.items():
            if key == "properties":
                kept[key] = dict(kept.get(key, {}))
                for name, field_schema in value.items():
                    both = dict(kept[key].get(name, {}))
                    self._join(both, field_schema, (*path, name), word)
                    kept[key][name] = both
            elif key == "required":
                kept[key] = list(dict.fromkeys([*kept.get(key, ()), *value]))
            elif kept.get(key) in (None, list(ANYTHING)):
                kept[key] = value
            elif value not in (kept[key], list(ANYTHING)) and key != "description":
                self._drop(path, f"{word} ({key})")

    def _value(
        self, word: str, value: Any, schema: Mapping[str, Any], path: tuple[str, ...]
    ) -> dict[str, Any]:
        """What stays of a word that no schema stands under."""
        if word in _SAY_NOTHING:
            return {}
        if word in _KEPT or (word == "additionalProperties" and isinstance(value, bool)):
            return {word: value}
        if word == "const":
            return {"enum": [value]}
        small = isinstance(value, int | float) and abs(value) <= MOST_REPEATS
        if word in _BOUNDS and small:
            return {word: value}
        if word in _RANGES and schema.get("type") == "integer" and isinstance(value, int):
            return {word: value}
        if word == "pattern" and (plain := plain_pattern(str(value), MOST_REPEATS)) is not None:
            return {word: plain}
        if word == "format" and value in _FORMATS:
            return {word: value}
        return self._drop(path, word)

    def _referred(self, ref: Any, path: tuple[str, ...], within: tuple[str, ...]) -> dict[str, Any]:
        found = target(self.root, str(ref))
        if found is None:
            return self._drop(path, f"$ref {ref}")
        if within.count(ref) >= UNROLLED:
            return self._drop(path, "recursion")
        return self._part(found, path, (*within, ref))

    def _drop(self, path: tuple[str, ...], what: str) -> dict[str, Any]:
        where = "/".join(path)
        self.left_out.append(f"{where}: {what}" if where else what)
        return {}


def _typed(kept: dict[str, Any]) -> dict[str, Any]:
    """With its types said, where its other words only imply them."""
    if {"type", "enum", "anyOf"} & kept.keys():
        return kept
    implied = next((kind for word, kind in _ABOUT.items() if word in kept), None)
    return {**kept, "type": implied if implied is not None else list(ANYTHING)}


VALUE_CHARS = 120
"""As long as a value of a document may be: an address of four lines."""

_KEY_CHARS = 16
"""A field's name, quotes and commas."""

_FEWEST_CHARS = 24
"""No string is bound to less: a name needs them."""


def bounded(schema: Mapping[str, Any], max_tokens: int, *, even: bool = False) -> dict[str, Any]:
    """The schema for generation with every free string bounded, for models that ramble.

    No right value is cut short by it: each string may be as long as a value may be (VALUE_CHARS),
    or as its share of the output limit. Where many of them ramble such an answer runs into the
    limit. `even`: each has its share alone, and an answer ends within the limit whatever its
    strings are made of.
    Only what the engine generates is bounded so; answers are checked against the user's schema.
    """
    share = int(max_tokens * CHARS_PER_TOKEN / max(1, _count_strings(schema))) - _KEY_CHARS
    most = min(max(_FEWEST_CHARS if even else VALUE_CHARS, share), MOST_REPEATS)
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


ITEM_CHARS = 8
"""Characters that a value of a list's item is taken to have."""

FEWEST_ITEMS = 8
"""No list is bound to fewer items."""


def limited(schema: Mapping[str, Any], max_tokens: int) -> dict[str, Any]:
    """The schema for generation with every list bounded, so that none runs into the output limit:
    what more there is, is asked for in further calls (worker/run/lists.py)."""
    return _known_limited(dumps(schema), max_tokens)


@lru_cache(maxsize=512)
def _known_limited(schema: bytes, max_tokens: int) -> dict[str, Any]:
    result: dict[str, Any] = _limited(json.loads(schema), max_tokens)
    return result


def _limited(node: Any, max_tokens: int) -> Any:
    if isinstance(node, list):
        return [_limited(item, max_tokens) for item in node]
    if not isinstance(node, Mapping):
        return node
    copy = {
        key: value if key == "enum" and isinstance(value, list) else _limited(value, max_tokens)
        for key, value in node.items()
    }
    if is_list(node) and "maxItems" not in node:
        least = node.get("minItems", 0)
        return {**copy, "maxItems": max(most_items(node, max_tokens), least)}
    return copy


def is_list(node: Mapping[str, Any]) -> bool:
    """Whether a schema is one of lists of any length."""
    kinds, items = node.get("type"), node.get("items")
    named = kinds == "array" or (isinstance(kinds, list) and "array" in kinds)
    return named and isinstance(items, Mapping)


def most_items(node: Mapping[str, Any], max_tokens: int) -> int:
    """How many items of a list an answer of so many tokens holds."""
    return min(max(FEWEST_ITEMS, max_tokens // tokens_of(node["items"])), MOST_REPEATS)


def tokens_of(node: Mapping[str, Any], name: str = "") -> int:
    """What a short answer to a schema takes, with its field's name; a list as one item."""
    return estimate(_example(node, name))


def _example(node: Mapping[str, Any], name: str = "") -> str:
    said = f'"{name}":' if name else ""
    if "anyOf" in node:
        return max((_example(choice, name) for choice in node["anyOf"]), key=len)
    if node.get("properties"):
        inner = "".join(_example(each, key) for key, each in node["properties"].items())
        return f"{said}{{{inner}}},"
    if is_list(node):
        return f"{said}[{_example(node['items'])}],"
    return f'{said}"{"x" * ITEM_CHARS}",'
