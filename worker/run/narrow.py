"""The part of an answer's schema that asks for some of its fields alone. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

_OF_EACH_FIELD = frozenset({"type", "properties", "required", "additionalProperties"})
_ABOUT_NONE = frozenset({"title", "description", "$schema", "$id", "$comment"})
_NAMED = frozenset({"$defs", "definitions"})
"""What a schema may say without saying something of several fields at once."""


def narrowed(schema: Mapping[str, Any], names: Collection[str]) -> dict[str, Any] | None:
    """The schema of these top-level fields, with all that it says of each: types, enums, what is
    required. None: one of them has no schema of its own, or it says something of several at once,
    so that they cannot be asked for alone."""
    fields = schema.get("properties", {})
    if not set(names) <= set(fields) or schema.keys() - _OF_EACH_FIELD - _ABOUT_NONE - _NAMED:
        return None
    kept = {name: inner for name, inner in fields.items() if name in names}
    defined = {word: schema[word] for word in _NAMED & schema.keys()}
    if any(not ref.startswith(("#/$defs/", "#/definitions/")) for ref in _refs([kept, defined])):
        return None
    required = [name for name in schema.get("required", ()) if name in kept]
    return {**schema, "properties": kept, "required": required}


def _refs(node: Any) -> Iterator[str]:
    """Where the references of a schema lead."""
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _refs(each)
