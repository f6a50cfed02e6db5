"""Whether the values of an extraction stand in the source, and where.

White space and case are folded, because PDF text breaks lines inside values; everything else must
match as it stands. A number may differ from the text in its thousands separators only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ZEROS = {False: r"(?:\.0+)?", True: "0*"}
"""What may follow a JSON number without and with a fraction: JSON forgets the zeros of 75.00."""

NUMBER = re.compile(r"^[+-]?\d[\d,]*(?:\.\d+)?$")

NUMBER_EDGES = (r"(?<!\d)(?<!\d[.,])", r"(?!\d|[.,]\d)")
WORD_EDGES = (r"(?<!\w)", r"(?!\w)")
"""What a value must not follow and must not be followed by: it would be a part of another."""


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of a document's text and where it starts, in characters of the whole text."""

    start: int
    text: str
    ordinal: int = 1
    """The number of its chunk, from 1."""


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


def find(leaf: str | float, sources: Sequence[Source]) -> tuple[int, int] | None:
    """A place where a value stands, as (start, end) of the whole text: the first where it stands
    to the letter, or else the first where it stands at all."""
    if not isinstance(leaf, str):
        return _searched(_number_pattern(_plain(leaf), ZEROS), sources)
    value = leaf.strip()
    if not value:
        return None
    # Most values are copies, and to make a pattern takes a hundred times as long as to see that.
    return _copied(value, sources) or _searched(_pattern(value), sources)


def _copied(value: str, sources: Sequence[Source]) -> tuple[int, int] | None:
    head, tail = map(re.compile, _edges(value))
    for source in sources:
        start = source.text.find(value)
        while start >= 0:
            end = start + len(value)
            if head.match(source.text, start) and tail.match(source.text, end):
                return source.start + start, source.start + end
            start = source.text.find(value, start + 1)
    return None


def _searched(pattern: re.Pattern[str], sources: Sequence[Source]) -> tuple[int, int] | None:
    for source in sources:
        match = pattern.search(source.text)
        if match:
            return source.start + match.start(), source.start + match.end()
    return None


def _edges(value: str) -> tuple[str, str]:
    if NUMBER.match(value):
        return NUMBER_EDGES
    head, tail = WORD_EDGES
    return head if value[0].isalnum() else "", tail if value[-1].isalnum() else ""


def _pattern(value: str) -> re.Pattern[str]:
    if NUMBER.match(value):
        return _number_pattern(value)
    head, tail = _edges(value)
    body = r"\s+".join(map(re.escape, value.split()))
    return re.compile(head + body + tail, re.IGNORECASE)


def _number_pattern(number: str, zeros: Mapping[bool, str] | None = None) -> re.Pattern[str]:
    digits = number.replace(",", "")
    body = ",?".join(map(re.escape, digits)).replace(",?\\.,?", "\\.")
    body += zeros["." in digits] if zeros else ""
    head, tail = NUMBER_EDGES
    return re.compile(head + body + tail)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str | float]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}.{index}" if path else str(index))
    elif isinstance(value, bool) or value is None:
        return  # a judgement or a "not said": there is nothing to find
    elif isinstance(value, (int, float)) or value.strip():
        yield path, value
