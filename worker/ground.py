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


def find(leaf: str | float, sources: Sequence[Source]) -> tuple[int, int] | None:
    """The first place where a value stands, as (start, end) of the whole text."""
    pattern = _pattern(leaf) if isinstance(leaf, str) else _number_pattern(_plain(leaf), ZEROS)
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


def _number_pattern(number: str, zeros: Mapping[bool, str] | None = None) -> re.Pattern[str]:
    digits = number.replace(",", "")
    body = ",?".join(map(re.escape, digits)).replace(",?\\.,?", "\\.")
    body += zeros["." in digits] if zeros else ""
    return re.compile(rf"(?<!\d)(?<!\d[.,]){body}(?!\d|[.,]\d)")


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
