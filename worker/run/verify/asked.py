"""What each value of an answer was asked for: its field's words, their meaning, its schema."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from models.checks import HUMP
from worker.jsonb import dumps
from worker.llm.grammar import grammar
from worker.run.verify.fold import folded
from worker.run.verify.labels import concepts_in
from worker.run.verify.lexicon import ABOUT_ANY, COMPUTED, CONCEPTS, GENERIC, PROSE, SCALES, UNITS

_WORDS = re.compile(r"[^\s_./:,;()-]+")

NAMERS = ("name", "label", "key", "field")
"""In an object of such a key and `value`, the one says what the other is."""


@dataclass(frozen=True, slots=True)
class Field:
    """What a field's name and description say."""

    words: tuple[str, ...]
    label: tuple[str, ...] = ()
    """The words that its label would have: without units, scale words and the like."""
    concept: str | None = None
    """Of lexicon.CONCEPTS; None: its name is none of theirs."""
    kind: str | None = None
    """What kind of value that is, where its name says so."""
    computed: bool = False
    prose: bool = False


@dataclass(frozen=True, slots=True)
class FormWords:
    """The words of a schema, which are no answer."""

    names: frozenset[str]
    choices: Mapping[str, frozenset[str]]
    """The words that its enums allow, by the name of their field."""
    longest: int = 0
    """Characters of the longest of them all, and some more for what may part their words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One value and what was asked. `value` may be anything but an object or a list."""

    path: str
    value: Any
    field: Field
    schema: Mapping[str, Any]
    form: FormWords
    required: bool = False
    listed: bool = False
    """One of several: others of its kind are no conflict."""
    item: str = ""
    """The path of the object of a list that it stands in."""
    names: bool = False
    """It says what the value beside it is."""

    @property
    def column(self) -> str:
        """Its name within the object of a list that it stands in."""
        return self.path[len(self.item) + 1 :]


def asked_of(value: Any, schema: Mapping[str, Any]) -> list[Asked]:
    """Every value of an answer, in its order."""
    whole, words = _form(dumps(schema))
    found: list[Asked] = []
    _walk(value, whole, _Place(words), found)
    return found


@lru_cache(maxsize=512)
def _form(schema: bytes) -> tuple[Mapping[str, Any], FormWords]:
    """A schema with its references put in place, and its words."""
    given = json.loads(schema)
    whole = grammar(given).schema if given else {}
    return whole, _form_words(whole)


class _Place(NamedTuple):
    """Where in the answer the walk is."""

    form: FormWords
    path: str = ""
    field: Field = Field(())
    required: bool = False
    listed: bool = False
    item: str = ""
    names: bool = False


def _walk(value: Any, schema: Any, at: _Place, found: list[Asked]) -> None:
    node = _plain(schema)
    if isinstance(value, dict):
        _in_object(value, node, at, found)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            path = _under(at.path, index)
            item = path if isinstance(each, dict) else at.item
            inner = _Place(at.form, path, at.field, listed=True, item=item)
            _walk(each, node.get("items", {}), inner, found)
    else:
        found.append(
            Asked(
                at.path,
                value,
                at.field,
                node,
                at.form,
                at.required,
                at.listed,
                at.item,
                at.names,
            )
        )


def _in_object(
    value: Mapping[str, Any], node: Mapping[str, Any], at: _Place, found: list[Asked]
) -> None:
    fields, required = node.get("properties", {}), node.get("required", ())
    namer = next((key for key in NAMERS if value.get(key)), None) if "value" in value else None
    named = str(value[namer]) if namer else ""
    for key, each in value.items():
        inner = fields.get(key, {})
        about = inner.get("description", "") if isinstance(inner, Mapping) else ""
        place = _Place(
            at.form,
            _under(at.path, key),
            field_of(_name_of(key, named, at), about),
            required=key in required,
            listed=at.listed,
            item=at.item,
            names=key == namer,
        )
        _walk(each, inner, place, found)


_OF_SOMETHING = frozenset({"name", "value", "number", "id", "date"})
"""Keys that say nothing without the object that they stand in."""


def _name_of(key: str, named: str, at: _Place) -> str:
    """A field's name, or where that says nothing, what tells it from others."""
    if key == "value" and named:
        return named
    alone = at.listed or not at.path or key.lower() not in _OF_SOMETHING
    return key if alone else f"{at.path.rpartition('.')[2]} {key}"


def _under(path: str, key: str | int) -> str:
    return f"{path}.{key}" if path else str(key)


def _plain(schema: Any) -> Mapping[str, Any]:
    """A schema, or of several that are allowed the first that is not null."""
    if not isinstance(schema, Mapping):
        return {}
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return {**schema, **choice}
    return schema


@lru_cache(maxsize=4096)
def field_of(name: str, about: str = "") -> Field:
    """What a field of this name and description is."""
    words = words_of(name)
    said = " ".join(words)
    label = tuple(word for word in words if word not in _NO_LABEL) or words
    meant = _meant(said) or _meant(folded(about))
    narrowed = meant in GENERIC and not set(label) <= _KNOWN
    if narrowed:
        label = tuple(word for word in label if word not in _KNOWN)
    return Field(
        words,
        label,
        concept=None if narrowed else meant,
        kind=CONCEPTS.kinds.get(meant or ""),
        computed=any(f" {term} " in f" {said} " for term in COMPUTED),
        prose=any(f" {term} " in f" {said} " for term in PROSE),
    )


_NO_LABEL = frozenset(SCALES) | frozenset(UNITS) | ABOUT_ANY
_KNOWN = ABOUT_ANY | {term for term, concept in CONCEPTS.terms.items() if concept in GENERIC}
"""With other words than these beside it, a general word is narrowed down: a budget's amount is not
the total."""


def words_of(name: str) -> tuple[str, ...]:
    """The words of a key, however it joins them."""
    return tuple(_WORDS.findall(folded(HUMP.sub(" ", name))))


def _meant(said: str) -> str | None:
    found = concepts_in(said)
    narrow = [each for each in found if each not in GENERIC]
    return next(reversed(narrow or found), None)


def _form_words(schema: Mapping[str, Any]) -> FormWords:
    names: set[str] = set()
    choices: dict[str, frozenset[str]] = {}
    for name, node in _fields(schema):
        names.add(" ".join(words_of(name)))
        allowed = [each for each in node.get("enum", ()) if isinstance(each, str)]
        if allowed:
            choices[name] = frozenset(map(folded, allowed))
    every = [*names, *(each for allowed in choices.values() for each in allowed)]
    return FormWords(frozenset(names), choices, 2 * max(map(len, every), default=0))


def _fields(schema: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    node = _plain(schema)
    for name, inner in node.get("properties", {}).items():
        yield name, _plain(inner)
        yield from _fields(inner)
    if "items" in node:
        yield from _fields(node["items"])
