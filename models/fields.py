"""The fields of an answer by the names that a user gives them, such as items.amount."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.schema import target

MOST_STEPS = 20
"""Steps of a field's name."""

MOST_LISTS = 4
"""Lists right within lists."""

MOST_NAMED = 12
"""Fields that an error names."""


_CHOICES = ("anyOf", "oneOf", "allOf")
_SAYS_MORE = {"enum", "const", "$ref", *_CHOICES}


@dataclass(frozen=True, slots=True)
class FieldPath:
    """Where a named field stands in answers."""

    rows: tuple[str, ...] = ()
    """The keys that lead to the innermost list that it stands in; none: it stands in no list."""
    rest: tuple[str, ...] = ()
    """Those from an item of it on, or else from the answer on."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All of them."""
        return self.rows + self.rest


def find_field(schema: Mapping[str, Any], name: str) -> FieldPath | None:
    """Where a schema has the field of this name; None: it has none. Lists need no step of their
    own: items.amount is the amount of every item. What a schema leaves open has any field."""
    if name.count(".") >= MOST_STEPS:
        return None
    return _find(schema, schema, name, FieldPath(), MOST_LISTS)


def field_names(schema: Mapping[str, Any]) -> str:
    """The fields of a schema and those of its lists and objects, as an error names them."""
    names = list(dict.fromkeys(_names(schema, schema, "", 4)))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _find(
    root: Mapping[str, Any], node: Any, name: str, at: FieldPath, lists: int
) -> FieldPath | None:
    nodes = _branches(root, node)
    for items in _items(nodes) if lists else ():
        if (found := _find(root, items, name, FieldPath(at.keys), lists - 1)) is not None:
            return found
    if not name:
        return at
    known = _properties(nodes)
    for key in known:
        if name == key or name.startswith(f"{key}."):
            inner = FieldPath(at.rows, (*at.rest, key))
            rest = name[len(key) + 1 :]
            if (found := _find(root, known[key], rest, inner, MOST_LISTS)) is not None:
                return found
    is_open = not known and any(_is_open(each) for each in nodes)
    return FieldPath(at.rows, (*at.rest, *name.split("."))) if is_open else None


def _names(root: Mapping[str, Any], node: Any, before: str, left: int) -> Iterator[str]:
    nodes = _branches(root, node)
    for items in _items(nodes) if left else ():
        yield from _names(root, items, before, left - 1)
    for key, inner in _properties(nodes).items():
        yield f"{before}{key}"
        if left:
            yield from _names(root, inner, f"{before}{key}.", left - 1)


def _branches(root: Mapping[str, Any], node: Any) -> list[Mapping[str, Any]]:
    """A schema with what it refers to and the choices that it has."""
    found: dict[int, Mapping[str, Any]] = {}
    left = [node]
    while left:
        each = left.pop(0)
        if not isinstance(each, Mapping) or id(each) in found:
            continue
        found[id(each)] = each
        if isinstance(each.get("$ref"), str):
            left.append(target(root, each["$ref"]))
        left += [choice for word in _CHOICES for choice in each.get(word, ())]
    return list(found.values())


def _items(nodes: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    for node in nodes:
        if "items" in node or "array" in _kinds(node):
            yield node.get("items", {})


def _properties(nodes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: inner for node in nodes for key, inner in node.get("properties", {}).items()}


def _kinds(node: Mapping[str, Any]) -> list[Any]:
    kinds = node.get("type", [])
    return kinds if isinstance(kinds, list) else [kinds]


def _is_open(node: Mapping[str, Any]) -> bool:
    """Whether it says nothing about the fields of an object, and allows one."""
    kinds = _kinds(node)
    closed = node.get("additionalProperties") is False or node.keys() & _SAYS_MORE
    return not closed and (not kinds or "object" in kinds)
