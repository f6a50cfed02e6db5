"""The part of a schema that Anthropic compiles into a grammar. Pure.

It wants every object closed, knows no bounds and no patterns, and refuses a schema that says more
(https://platform.claude.com/docs/en/build-with-claude/structured-outputs). Answers are checked
against the whole schema afterwards, so what is left out here is not given up.
"""

from collections.abc import Mapping
from typing import Any

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_LITERAL = (str, int, float, bool, type(None))


def compilable(schema: Any) -> dict[str, Any] | None:
    """What is sent of a schema, which has no references. None: it cannot be said, for a grammar of
    what is left would forbid good answers, such as a map whose keys are not known."""
    if not isinstance(schema, Mapping):
        return None
    described = {"description": schema["description"]} if "description" in schema else {}
    found = _enum(schema) or _any_of(schema) or _typed(schema)
    return None if found is None else {**found, **described}


def _enum(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    values = schema.get("enum")
    plain = isinstance(values, list) and values and all(isinstance(v, _LITERAL) for v in values)
    return {"enum": values} if plain else None


def _any_of(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where a schema leaves a choice and says nothing else that the choices would have to hold."""
    if "anyOf" not in schema or schema.keys() & {"properties", "items"}:
        return None
    choices = [compilable(each) for each in schema["anyOf"]]
    return None if None in choices else {"anyOf": choices}


def _typed(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    named = schema.get("type")
    kinds = [named] if isinstance(named, str) else named
    if not kinds or "anyOf" in schema or "enum" in schema:
        return None
    kept: dict[str, Any] = {"type": named}
    for kind, part in (("object", _object), ("array", _array)):
        if kind in kinds:
            found = part(schema)
            if found is None:
                return None
            kept |= found
    if "string" in kinds and schema.get("format") in _FORMATS:
        kept["format"] = schema["format"]
    return kept


def _object(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties")
    required = schema.get("required", [])
    is_open = more not in (None, False) or (more is None and not properties)
    if is_open or not properties.keys() >= set(required):
        return None
    closed = {name: compilable(each) for name, each in properties.items()}
    if None in closed.values():
        return None
    return {"properties": closed, "required": required, "additionalProperties": False}


def _array(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    items = None if "prefixItems" in schema else compilable(schema.get("items"))
    if items is None:
        return None
    least = {"minItems": 1} if schema.get("minItems", 0) >= 1 else {}
    return {"items": items, **least}
