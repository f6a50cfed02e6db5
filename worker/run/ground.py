"""Whether the values of an extraction stand in the source, and where.

White space, case, forms of Unicode and the separators of numbers are folded (verify/fold.py,
verify/numbers.py), because texts break lines inside values and each locale writes its own numbers;
everything else must match as it stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from worker.run.verify.asked import Asked
from worker.run.verify.check import FieldCheck
from worker.run.verify.fold import Folded, fold, folded, stands_alone
from worker.run.verify.hollow import SAYS_NOTHING, hollow
from worker.run.verify.places import first, is_number, number_places, places


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of a document's text and where it starts, in characters of the whole text."""

    start: int
    text: str
    ordinal: int = 1
    """The number of its chunk, from 1."""
    pages: tuple[int | None, int | None] = (None, None)
    """The first and the last page that it stands on, from 1."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """`grounded` is None when the answer holds no value to look for."""

    grounded: bool | None
    spans: dict[str, list[int]]


def ground(
    values: Iterable[Asked],
    sources: Sequence[Source],
    checks: Mapping[str, FieldCheck] = MappingProxyType({}),
) -> Grounding:
    """Look up every string and number of an answer. Keys of `spans` are paths such as facts.0.

    What says nothing, such as a comma or the field's own name, stands nowhere. `checks`: what
    values are worth, where that is known."""
    values = list(values)
    spans: dict[str, list[int]] = {}
    for leaf in values:
        check = checks.get(leaf.path)
        if not is_sought(leaf.value) or (check.code if check else hollow(leaf)) in SAYS_NOTHING:
            continue
        if (span := find(leaf.value, sources)) is not None:
            spans[leaf.path] = list(span)
    return grounding(values, spans)


def grounding(values: Iterable[Asked], spans: Mapping[str, Sequence[int]]) -> Grounding:
    """What it comes to where it is known where values stand."""
    paths = [leaf.path for leaf in values if is_sought(leaf.value)]
    found = {path: list(spans[path]) for path in paths if path in spans}
    return Grounding(len(found) == len(paths) if paths else None, found)


def is_sought(value: Any) -> bool:
    """Whether a value is looked for: a judgement or a "not said" stands nowhere."""
    if isinstance(value, bool) or value is None:
        return False
    return not isinstance(value, str) or bool(value.strip())


def find(leaf: str | float, sources: Sequence[Source]) -> tuple[int, int] | None:
    """A place where a value stands, as (start, end) of the whole text: the first where it stands
    to the letter, or else the first where it stands at all."""
    if not isinstance(leaf, str):
        return _searched(leaf, sources)
    value = leaf.strip()
    return _copied(value, sources) or _searched(value, sources) if value else None


def _copied(value: str, sources: Sequence[Source]) -> tuple[int, int] | None:
    """Most values are copies. Numbers are left to those who know them."""
    if is_number(folded(value)):
        return None
    for source in sources:
        start = source.text.find(value)
        while start >= 0:
            end = start + len(value)
            if stands_alone(source.text, start, end):
                return source.start + start, source.start + end
            start = source.text.find(value, start + 1)
    return None


def _searched(value: str | float, sources: Sequence[Source]) -> tuple[int, int] | None:
    for source in sources:
        text = fold(source.text)
        span = first(_runs(value, text), text)
        if span is not None:
            return source.start + span[0], source.start + span[1]
    return None


def _runs(value: str | float, text: Folded) -> Any:
    if isinstance(value, str):
        return places(folded(value).strip(), text.text)
    return number_places(value, text.text)
