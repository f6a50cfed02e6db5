"""Answer schemas: JSON Schema of draft 2020-12, which answers are checked with."""

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

from jsonschema_rs import Draft202012Validator, FancyRegexOptions, ValidationError

PATTERNS = FancyRegexOptions(backtrack_limit=100_000)
"""A pattern may look around itself, but is given up after so many steps back, less than a tenth
of a second in an answer of 8,000 characters: whoever checks has other answers to check."""


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """What checks values against the schema. Raises ValueError, saying what is wrong and where, if
    it is none or a $ref leads nowhere in it: nothing is fetched to check an answer."""
    try:
        return Draft202012Validator(
            schema, retriever=_fetch, pattern_options=PATTERNS, validate_formats=True
        )
    except ValidationError as exc:
        raise ValueError(f"not a JSON Schema: {place(exc)}{exc.message}") from exc
    except ValueError as exc:
        hint = "; put dates in quotes" if "Unsupported type" in str(exc) else ""  # YAML has dates
        raise ValueError(f"not a JSON Schema: {exc}{hint}") from exc


DEEPEST = 100
"""Levels of a schema: whoever walks one may do so by calling himself."""

_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE = frozenset(
    {"items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
"""The words under which schemas stand in schemas; anything else may hold the same words as data."""

_JOINS = frozenset({"$ref", "const", "allOf", "anyOf", "oneOf"})


def with_nulls(schema: dict[str, Any], level: int = 0) -> dict[str, Any]:
    """The schema with OpenAPI's `nullable: true`, which JSON Schema passes over, in words that it
    knows. Raises ValueError where it is too deep."""
    if level > DEEPEST:
        raise ValueError(f"the schema is nested more than {DEEPEST} levels deep")
    plain = {key: _inner(key, value, level + 1) for key, value in schema.items()}
    return _or_null(plain) if plain.pop("nullable", None) is True else plain


def _inner(key: str, value: Any, level: int) -> Any:
    if key in _SINGLE and isinstance(value, dict):
        return with_nulls(value, level)
    if key in _MAPS and isinstance(value, dict):
        return {name: _inner("items", each, level) for name, each in value.items()}
    if key in _LISTS and isinstance(value, list):
        return [_inner("items", each, level) for each in value]
    return value


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if _JOINS & schema.keys():
        return {"anyOf": [schema, {"type": "null"}]}
    kinds, values = schema.get("type"), schema.get("enum")
    if kinds is not None:
        listed = kinds if isinstance(kinds, list) else [kinds]
        schema = {**schema, "type": listed if "null" in listed else [*listed, "null"]}
    if isinstance(values, list) and None not in values:
        schema = {**schema, "enum": [*values, None]}
    return schema


def target(root: Mapping[str, Any], ref: str) -> Any:
    """What a reference into the schema itself points to; None where it points elsewhere."""
    node: Any = root
    start, *steps = ref.split("/")
    for step in steps:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, Mapping) else None
    return node if start == "#" else None


def place(problem: ValidationError) -> str:
    """Where in the value it is, as a/1: and a space."""
    path = "/".join(map(str, problem.instance_path))
    return f"{path}: " if path else ""


def _fetch(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside of the schema")
