"""Where the rows of a list stand in their text. Two rows may say the same: what tells them from one
row that was seen twice is their place. Pure.

A row is placed by its longest value that stands in the text, with the nearest of its others on the
side on which they stand in most rows. Of all ways to place the rows of a list one after the other
that one is taken which places most of them, and of these the one in which the values of each row
stand closest together, with no other row's beginning between them.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
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
"""So many characters the end of a line counts for: values of one line belong together."""

_A_ROW = 400
"""So many characters another row's beginning counts for."""

_MOST_PLACES = 200
"""Places of a value that are looked at."""

Place = tuple[int, int]


def row_places(
    values: Iterable[Asked], sources: Sequence[Source], fewest: int = 1
) -> dict[str, list[int]]:
    """Where each object of a list stands, by its path (as items.0), in characters of the document;
    one of which nothing stands in the text is left out, and lists with fewer objects."""
    view = view_of(tuple(sources))
    lists: dict[str, dict[str, list[Asked]]] = {}
    for asked in values:
        if asked.item and is_sought(asked.value):
            rows = lists.setdefault(asked.item.rpartition(".")[0], {})
            rows.setdefault(asked.item, []).append(asked)
    found: dict[str, list[int]] = {}
    for rows in lists.values():
        if len(rows) < fewest:
            continue
        table = _table([list(_cells(row, view)) for row in rows.values()], view.text)
        ways = [list(table.ways(cells)) for cells in table.rows]
        for path, place in zip(rows, in_order(ways), strict=True):
            if place is not None:
                found[path] = view.place(*place)[0]
    return found


class Way(NamedTuple):
    """A place where a row may stand, and how far apart its values are there."""

    start: int
    end: int
    cost: int


class _Cell(NamedTuple):
    """A value of a row that stands in the text: its field, and its places in their order."""

    name: str
    places: Sequence[Place]


def _cells(row: Sequence[Asked], view: View) -> Iterator[_Cell]:
    """The longest value first."""
    for asked in sorted(row, key=lambda asked: -len(folded(str(asked.value)))):
        spots = spots_of(value_of(asked), asked, view)[:_MOST_PLACES]
        if spots:
            name = asked.path[len(asked.item) + 1 :]
            yield _Cell(name, sorted((spot.start, spot.end) for spot in spots))


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows of a list. `behind`: pairs of fields of which the second mostly stands behind the
    first; `starts`: where lines begin with what rows begin with."""

    text: str
    rows: Sequence[Sequence[_Cell]]
    behind: frozenset[tuple[str, str]]
    starts: Sequence[int]

    def ways(self, cells: Sequence[_Cell]) -> Iterator[Way]:
        """Where a row may stand, in folded text."""
        for place in cells[0].places if cells else ():
            start, end, cost = *place, 0
            for cell in cells[1:]:
                near = self._near(cell, cells[0].name, place)
                apart = _apart(place, near) if near else _REACH
                cost += min(apart, _REACH)
                if near and apart < _REACH:
                    start, end = min(start, near[0]), max(end, near[1])
            yield Way(start, end, cost + self._crossed(start, end))

    def _near(self, cell: _Cell, anchor: str, place: Place) -> Place | None:
        """The nearest place of a value on its side of the row's longest one."""
        at = bisect_left(cell.places, place)
        if (anchor, cell.name) in self.behind:
            return cell.places[at] if at < len(cell.places) else None
        return cell.places[at - 1] if at else None

    def _crossed(self, start: int, end: int) -> int:
        lines = "\n" in self.text[start:end]
        others = bisect_left(self.starts, end) - bisect_right(self.starts, start)
        return _A_LINE * lines + _A_ROW * max(others, 0)


def _table(rows: Sequence[Sequence[_Cell]], text: str) -> _Table:
    votes = Counter[tuple[str, str]]()
    for cells in rows:
        votes.update(_closest(cells, text))
    names = dict.fromkeys(cell.name for cells in rows for cell in cells)
    behind = frozenset((a, b) for a in names for b in names if votes[a, b] >= votes[b, a])
    first = max(names, key=lambda name: sum(votes[name, other] for other in names), default="")
    begins = {
        start
        for cells in rows
        for cell in cells
        if cell.name == first
        for start, _ in cell.places
        if not text[text.rfind("\n", 0, start) + 1 : start].strip(" |\t")
    }
    return _Table(text, rows, behind, sorted(begins))


def _closest(cells: Sequence[_Cell], text: str) -> Iterator[tuple[str, str]]:
    """Which field stands behind which where a row's values stand closest to its longest one."""
    if not cells:
        return
    closest: tuple[int, list[tuple[int, str]]] | None = None
    for place in cells[0].places:
        near = [
            (min(_neighbours(cell, place), key=lambda each: _between(text, place, each)), cell.name)
            for cell in cells[1:]
        ]
        cost = sum(_between(text, place, each) for each, _ in near)
        if closest is None or cost < closest[0]:
            stands = [(place[0], cells[0].name), *((each[0], name) for each, name in near)]
            closest = cost, sorted(stands)
    order = [name for _, name in closest[1]] if closest else []
    for at, name in enumerate(order):
        yield from ((name, other) for other in order[at + 1 :])


def _neighbours(cell: _Cell, place: Place) -> Sequence[Place]:
    at = bisect_left(cell.places, place)
    return cell.places[max(at - 1, 0) : at + 1]


def _between(text: str, one: Place, other: Place) -> int:
    start, end = min(one[1], other[1]), max(one[0], other[0])
    return _apart(one, other) + _A_LINE * ("\n" in text[start:end])


def _apart(one: Place, other: Place) -> int:
    return max(one[0] - other[1], other[0] - one[1], 0)


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
    last = front[-1] if front else None
    while last is not None:
        found[last.row] = last.way[:2]
        last = last.before
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
