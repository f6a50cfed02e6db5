"""What a schema asks for, field by field: more of them than one answer holds are asked in groups,
one call each, and a list is asked in pieces. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from models.schema import DEEPEST, target
from worker.jsonb import dumps
from worker.llm.grammar import grammar, is_list, most_items, tokens_of

MOST_FIELDS = 40
"""Values that one call asks for: small models lose the thread beyond it, and grammars grow."""

ITEMS_OF_A_LIST = 4
"""A list counts as so many of its items: what more it holds is asked for in calls of its own."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A field that is asked for as a whole: a value, a list, or an object that cannot be parted."""

    path: Path
    fields: int
    tokens: int
    """What its answer takes, as estimated."""
    is_list: bool = False
    most: int | None = None
    """Items of a list that one call may give, where the schema itself names no bound."""
    bound: int | None = None
    """Items that the schema itself allows."""
    is_unique: bool = False

    @property
    def name(self) -> str:
        """Its path as spans and checks have it."""
        return ".".join(self.path)


def units(schema: Mapping[str, Any], max_tokens: int) -> tuple[Unit, ...]:
    """The fields of a schema in their order."""
    return _units(dumps(schema), max_tokens)


@lru_cache(maxsize=512)
def _units(raw: bytes, max_tokens: int) -> tuple[Unit, ...]:
    schema = json.loads(raw)
    return tuple(_walk(schema, schema, grammar(schema).schema, (), max_tokens))


def lists(schema: Mapping[str, Any], max_tokens: int) -> tuple[Unit, ...]:
    """The lists of a schema that can be asked for in pieces."""
    return tuple(unit for unit in units(schema, max_tokens) if unit.is_list)


def groups(schema: Mapping[str, Any], max_tokens: int) -> tuple[Mapping[str, Any], ...]:
    """The schemas that a schema is asked in, fields in their order; itself where one answer of
    `max_tokens` holds them all."""
    return _groups(dumps(schema), max_tokens)


@lru_cache(maxsize=512)
def _groups(raw: bytes, max_tokens: int) -> tuple[Mapping[str, Any], ...]:
    runs: list[list[Unit]] = []
    for unit in _units(raw, max_tokens):
        if not runs or not _fits([*runs[-1], unit], max_tokens):
            runs.append([])
        runs[-1].append(unit)
    schema = json.loads(raw)
    if len(runs) < 2:
        return (schema,)
    return tuple(only(schema, [unit.path for unit in run]) for run in runs)


def _fits(run: Sequence[Unit], max_tokens: int) -> bool:
    fields, tokens = sum(unit.fields for unit in run), sum(unit.tokens for unit in run)
    return fields <= MOST_FIELDS and tokens <= max_tokens


def _walk(root: Any, schema: Any, plain: Any, path: Path, max_tokens: int) -> Iterator[Unit]:
    """`plain`: the same schema as engines get it, which is never larger than they can take."""
    node = followed(root, schema)
    if _is_parted(root, node, plain):
        for name, inner in plain["properties"].items():
            yield from _walk(root, node["properties"][name], inner, (*path, name), max_tokens)
        return
    fields, tokens = _size(plain), tokens_of(plain, path[-1] if path else "")
    if not path or not is_list(plain):
        yield Unit(path, fields, tokens)
        return
    bound = node.get("maxItems")
    most = max(most_items(plain, max_tokens), plain.get("minItems", 0)) if bound is None else None
    unique = bool(node.get("uniqueItems"))
    yield Unit(path, fields, ITEMS_OF_A_LIST * tokens, True, most, bound, unique)


def _is_parted(root: Any, node: Mapping[str, Any], plain: Mapping[str, Any]) -> bool:
    """Whether it is an object of fields that stand in it by themselves, and that can be left out
    without another one's reference leading nowhere."""
    fields = node.get("properties") or {}
    return (
        bool(fields)
        and plain.get("type") == "object"
        and plain.get("properties", {}).keys() == fields.keys()
        and (node is not root or _refers_to_definitions(root))
    )


def _refers_to_definitions(node: Any) -> bool:
    if isinstance(node, list):
        return all(map(_refers_to_definitions, node))
    if not isinstance(node, dict):
        return True
    ref = node.get("$ref", "#/$defs/")
    leads = not isinstance(ref, str) or ref.startswith(("#/$defs/", "#/definitions/"))
    return leads and all(map(_refers_to_definitions, node.values()))


def followed(root: Any, schema: Any) -> Mapping[str, Any]:
    """A schema, or what it refers to."""
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping):
            return {}
        if not isinstance(schema.get("$ref"), str):
            return schema
        schema = target(root, schema["$ref"])
    return {}


def _size(plain: Mapping[str, Any]) -> int:
    """How many values an answer to it holds, lists as one item."""
    inner = [*plain.get("properties", {}).values(), *([plain["items"]] if is_list(plain) else ())]
    return sum(map(_size, inner)) or 1


_ABOUT_ALL = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired"}
    | {"dependentSchemas", "minProperties", "maxProperties", "unevaluatedProperties"}
)
"""What a schema says of its fields together: left to the check of the whole."""

_OF_THE_WHOLE = frozenset({"minItems", "maxItems", "contains", "minContains", "maxContains"})
"""What a schema says of a list as a whole, and not of a piece of it."""


def only(schema: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """A schema with none but these fields, which `units` has found in it."""
    return _only(schema, schema, paths)


def _only(root: Mapping[str, Any], schema: Any, paths: Sequence[Path]) -> dict[str, Any]:
    if () in paths:
        return dict(schema)
    node = followed(root, schema)
    inner = {
        name: _only(root, field, under)
        for name, field in node["properties"].items()
        if (under := [path[1:] for path in paths if path[0] == name])
    }
    kept = {word: value for word, value in node.items() if word not in _ABOUT_ALL}
    required = [name for name in node.get("required", ()) if name in inner]
    whole = {word: root[word] for word in ("$defs", "definitions") if word in root}
    about = {"properties": inner, "required": required}
    return {**kept, **about, **(whole if schema is root else {})}


def pieced(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an answer about a piece of a text: its lists are not bound to hold anything."""
    return _pieced(dumps(schema))


@lru_cache(maxsize=512)
def _pieced(raw: bytes) -> Mapping[str, Any]:
    schema: dict[str, Any] = json.loads(raw)
    for unit in _units(raw, 1):
        if unit.is_list:
            schema = _loosened(schema, schema, unit.path)
    return schema


def _loosened(root: Mapping[str, Any], schema: Any, path: Path) -> dict[str, Any]:
    node = followed(root, schema)
    if not path:
        return {word: value for word, value in node.items() if word not in _OF_THE_WHOLE}
    fields = dict(node["properties"])
    fields[path[0]] = _loosened(root, fields[path[0]], path[1:])
    whole = {word: root[word] for word in ("$defs", "definitions") if word in root}
    return {**node, "properties": fields, **(whole if schema is root else {})}
