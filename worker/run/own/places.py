"""Where in an answer the values of a field stand. Pure."""

from collections.abc import Iterator
from typing import Any

from models.fields import FieldPath

Item = tuple[str, Any]
"""The path of a value, as spans and checks name it, and the value."""


def items(value: Any, keys: tuple[str, ...], path: str = "") -> Iterator[Item]:
    """Every item of the list, or of the lists, that the keys lead to."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from items(each, keys, _under(path, str(index)))
    elif not keys:
        yield path, value
    elif isinstance(value, dict) and value.get(keys[0]) is not None:
        yield from items(value[keys[0]], keys[1:], _under(path, keys[0]))


def follow(path: str, value: Any, keys: tuple[str, ...]) -> Item:
    """The value that keys lead to. Where one is missing: None, at the field of the answer that it
    is, or else at the object that lacks it."""
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return path or key, None
        path, value = _under(path, key), value[key]
    return path, value


def values(answer: Any, field: FieldPath) -> Iterator[Item]:
    """Every value of a field, those of lists one by one."""
    rows = items(answer, field.rows) if field.rows else [("", answer)]
    yield from (follow(*each, field.rest) for each in rows)


def _under(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
