"""A JSON Schema as a person would sketch it: {"total": number or null (with VAT), ...}.

A model reads this, so it shows what an answer must hold and not how a schema says it: `$ref` is
followed, `anyOf` with null is "or null" (both as pydantic writes them), descriptions stand behind.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from models.schema import target

_MOST_CHARS = 20_000
"""What references may bring in. Each that names two others would double it."""

_MOST_WITHIN = 20
"""References within references."""

_DESCRIPTION_CHARS = 200


def sketch(schema: Mapping[str, Any]) -> str:
    """The sketch of a schema, on one line."""
    return _Sketcher(schema).of(schema)


class _Sketcher:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._brought_in = 0

    def of(self, schema: Any, within: tuple[str, ...] = ()) -> str:
        if not isinstance(schema, Mapping):
            return "any value"
        shape = self._shape(schema, within)
        said = schema.get("description")
        if not isinstance(said, str) or not said.strip():
            return shape
        return f"{shape} ({' '.join(said.split())[:_DESCRIPTION_CHARS]})"

    def _shape(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> str:
        if isinstance(schema.get("$ref"), str):
            return self._referred(schema["$ref"], within)
        if "const" in schema:
            return _quoted(schema["const"])
        if isinstance(schema.get("enum"), list):
            return _either(map(_quoted, schema["enum"]))
        for several, joined in (("anyOf", _either), ("oneOf", _either), ("allOf", " and ".join)):
            if isinstance(schema.get(several), list):
                return joined(self.of(each, within) for each in schema[several])
        return _either(self._kind(kind, schema, within) for kind in _kinds(schema))

    def _referred(self, ref: str, within: tuple[str, ...]) -> str:
        name = unquote(ref.rpartition("/")[2])
        if ref in within:
            return f"{name} as before"
        if len(within) >= _MOST_WITHIN or self._brought_in > _MOST_CHARS:
            return name
        found = self.of(target(self._root, ref), (*within, ref))
        self._brought_in += len(found)
        return found

    def _kind(self, kind: str, schema: Mapping[str, Any], within: tuple[str, ...]) -> str:
        fields, others = schema.get("properties"), schema.get("additionalProperties")
        if kind == "object" and isinstance(fields, Mapping):
            inner = (f"{_quoted(key)}: {self.of(value, within)}" for key, value in fields.items())
            return "{" + ", ".join(inner) + "}"
        if kind == "object" and isinstance(others, Mapping):
            return f"{{any name: {self.of(others, within)}, ...}}"
        if kind == "array" and isinstance(schema.get("prefixItems"), list):
            return f"[{', '.join(self.of(each, within) for each in schema['prefixItems'])}]"
        if kind == "array" and isinstance(schema.get("items"), Mapping):
            return f"[{self.of(schema['items'], within)}, ...]"
        return kind


_ABOUT = {
    "properties": "object",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
}


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """The types of a schema; where it names none, what its other words are about."""
    named = schema.get("type")
    if isinstance(named, list):
        return [str(kind) for kind in named]
    if named is not None:
        return [str(named)]
    return [next((kind for word, kind in _ABOUT.items() if word in schema), "any value")]


def _either(shapes: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(shapes))


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
