"""Where the rows of a list stand in their text. Two rows may say the same: what tells them from one
row that was seen twice is their place. Pure.

A row is placed by its longest value that stands in the text, with the others nearest to it. Of all
ways to place the rows of a list one after the other that one is taken which places most of them,
and of these the one in which the values of each row stand closest together.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from worker.run.ground import Source, is_sought
from worker.run.verify.asked import Asked
from worker.run.verify.fold import folded
from worker.run.verify.spots import spots_of, value_of
from worker.run.verify.view import View, view_of

_REACH = 200
"""How far the values of a row stand from its longest one, in characters. What stands further away,
a currency in a table's head say, is not the row's place."""

_A_LINE = 40
"""So many characters a line's end counts for: values of one line belong together."""

_MOST_PLACES = 200
"""Places of a value that are looked at."""

Place = tuple[int, int]


def row_places(values: Iterable[Asked], sources: Sequence[Source]) -> dict[str, list[int]]:
    """Where each object of a list stands, by its path (as items.0), in characters of the document;
    one of which nothing stands in the text is left out."""
    view = view_of(tuple(sources))
    lists: dict[str, dict[str, list[Asked]]] = {}
    for asked in values:
        if asked.item and is_sought(asked.value):
            rows = lists.setdefault(asked.item.rpartition(".")[0], {})
            rows.setdefault(asked.item, []).append(asked)
    found: dict[str, list[int]] = {}
    for rows in lists.values():
        ways = [list(_ways(row, view)) for row in rows.values()]
        for path, place in zip(rows, in_order(ways), strict=True):
            if place is not None:
                found[path] = view.place(*place)[0]
    return found


class Way(NamedTuple):
    """A place where a row may stand, and how far apart its values are there."""

    start: int
    end: int
    cost: int


def _ways(row: Sequence[Asked], view: View) -> Iterator[Way]:
    """Where a row may stand, in folded text."""
    ordered = sorted(row, key=lambda asked: -len(folded(str(asked.value))))
    stands = [places for asked in ordered if (places := _places(asked, view))]
    for anchor in stands[0] if stands else ():
        start, end, cost = *anchor, 0
        for places in stands[1:]:
            near = min(_neighbours(places, anchor[0]), key=lambda each: _apart(view, anchor, each))
            apart = min(_apart(view, anchor, near), _REACH)
            cost += apart
            if apart < _REACH:
                start, end = min(start, near[0]), max(end, near[1])
        yield Way(start, end, cost)


def _places(asked: Asked, view: View) -> list[Place]:
    spots = spots_of(value_of(asked), asked, view)[:_MOST_PLACES]
    return sorted((spot.start, spot.end) for spot in spots)


def _neighbours(places: Sequence[Place], start: int) -> Sequence[Place]:
    """Those next to a place on either side."""
    at = bisect_left(places, (start, 0))
    return places[max(at - 1, 0) : at + 2]


def _apart(view: View, one: Place, other: Place) -> int:
    start, end = min(one[1], other[1]), max(one[0], other[0])
    lines = view.text.count("\n", start, min(end, start + _REACH)) if start < end else 0
    return max(end - start, 0) + _A_LINE * lines


@dataclass(frozen=True, slots=True)
class _Chain:
    """Rows that are placed one behind the other: the last one, and the chain before it."""

    score: int
    row: int
    way: Way
    before: "_Chain | None"


_PLACED = 1_000_000
"""What one more row that is placed is worth, in characters that its values stand apart."""


def in_order(ways: Sequence[Sequence[Way]]) -> list[Place | None]:
    """A place for each row, each ending behind the one before; None: there is none for it."""
    front: list[_Chain] = []  # by where they end: each is worth more than all before it
    for row, choices in enumerate(ways):
        longer = [_longer(front, row, way) for way in choices]
        for chain in longer:
            _keep(front, chain)
    found: list[Place | None] = [None] * len(ways)
    chain = front[-1] if front else None
    while chain is not None:
        found[chain.row] = chain.way[:2]
        chain = chain.before
    return found


def _longer(front: Sequence[_Chain], row: int, way: Way) -> _Chain:
    at = bisect_left(front, way.end, key=lambda chain: chain.way.end)
    before = front[at - 1] if at else None
    return _Chain((before.score if before else 0) + _PLACED - way.cost, row, way, before)


def _keep(front: list[_Chain], chain: _Chain) -> None:
    at = bisect_left(front, chain.way.end, key=lambda each: each.way.end)
    if at and front[at - 1].score >= chain.score:
        return
    if at < len(front) and front[at].way.end == chain.way.end and front[at].score >= chain.score:
        return
    behind = at
    while behind < len(front) and front[behind].score <= chain.score:
        behind += 1
    front[at:behind] = [chain]
