"""Whether the values of an extraction stand in the source, and where.

White space and case are folded, because PDF text breaks lines inside values; everything else must
match as it stands. A number may differ from the text in its thousands separators only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

NUMBER = re.compile(r"^[+-]?\d[\d,]*(?:\.\d+)?$")


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of a document's text and where it starts, in characters of the whole text."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Grounding:
    """`grounded` is None when the answer holds no value to look for."""

    grounded: bool | None
    spans: dict[str, list[int]]


def ground(value: Any, sources: Sequence[Source]) -> Grounding:
    """Look up every string and number of an answer. Keys of `spans` are paths such as facts.0."""
    leaves = list(_leaves(value, ""))
    if not leaves:
        return Grounding(None, {})
    spans: dict[str, list[int]] = {}
    for path, leaf in leaves:
        span = find(leaf, sources)
        if span is not None:
            spans[path] = list(span)
    return Grounding(len(spans) == len(leaves), spans)


def find(leaf: str, sources: Sequence[Source]) -> tuple[int, int] | None:
    """The first place where a value stands, as (start, end) of the whole text."""
    pattern = _pattern(leaf)
    if pattern is None:
        return None
    for source in sources:
        match = pattern.search(source.text)
        if match:
            return source.start + match.start(), source.start + match.end()
    return None


def _pattern(leaf: str) -> re.Pattern[str] | None:
    words = leaf.split()
    if not words:
        return None
    if len(words) == 1 and NUMBER.match(words[0]):
        return _number_pattern(words[0])
    body = r"\s+".join(map(re.escape, words))
    head = r"(?<!\w)" if words[0][0].isalnum() else ""
    tail = r"(?!\w)" if words[-1][-1].isalnum() else ""
    return re.compile(head + body + tail, re.IGNORECASE)


def _number_pattern(number: str) -> re.Pattern[str]:
    digits = number.replace(",", "")
    body = ",?".join(map(re.escape, digits)).replace(",?\\.,?", "\\.")
    return re.compile(rf"(?<![\d.]){body}(?!\d|[.,]\d)")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}.{index}" if path else str(index))
    elif isinstance(value, bool) or value is None:
        return  # a judgement or a "not said": there is nothing to find
    elif str(value).strip():
        yield path, str(value)
