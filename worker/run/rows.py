"""Where the rows of a list stand in their text. Two rows may say the same: what tells them from one
row that was seen twice is their place. Pure.

A row is placed by its longest value that stands in the text, with the nearest of its others on the
side on which they stand in most rows. Of all ways to place the rows of a list one after the other
that one is taken which places most of them, and of these the one in which the values of each row
stand closest together, with no other row's beginning between them.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from worker.run.ground import is_sought
from worker.run.verify.asked import Asked, Field
from worker.run.verify.fold import folded
from worker.run.verify.rivals import label_at
from worker.run.verify.spots import spots_of, value_of
from worker.run.verify.view import View

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


class Listed(NamedTuple):
    """Where the objects of a list stand, by their paths, in folded text; one of which nothing
    stands there is left out. `lines`: with the rest of their lines, as far as it is no other's.
    `before`: pairs of fields of which the first stands before the second, by the table's head, or
    else in most of its rows."""

    places: Mapping[str, Place]
    lines: Mapping[str, Place]
    before: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Rows:
    """The lists of objects of an answer: their values that are looked for, by the paths of lists
    and of objects. Each list is placed once, when it is asked for."""

    view: View
    lists: Mapping[str, Mapping[str, Sequence[Asked]]]
    found: dict[str, Listed] = field(default_factory=dict, compare=False)

    def listed(self, path: str) -> Listed:
        """What is known of the list at a path."""
        if path not in self.found:
            self.found[path] = _listed(self.lists[path], self.view)
        return self.found[path]

    def spans(self, fewest: int = 1) -> dict[str, list[int]]:
        """Where each object stands, by its path (as items.0), in characters of the document; lists
        with fewer objects are left out."""
        return {
            item: self.view.place(*place)[0]
            for path, rows in self.lists.items()
            if len(rows) >= fewest
            for item, place in self.listed(path).places.items()
        }


def rows_of(values: Iterable[Asked], view: View) -> Rows:
    """The lists of objects of an answer to a text."""
    lists: dict[str, dict[str, list[Asked]]] = {}
    for asked in values:
        if asked.item and is_sought(asked.value):
            rows = lists.setdefault(asked.item.rpartition(".")[0], {})
            rows.setdefault(asked.item, []).append(asked)
    return Rows(view, lists)


def _listed(rows: Mapping[str, Sequence[Asked]], view: View) -> Listed:
    said = [tuple((each.column, str(each.value)) for each in row) for row in rows.values()]
    alike = dict(zip(said, rows.values(), strict=True))
    cells = {each: tuple(_cells(row, view)) for each, row in alike.items()}
    table = _table(cells.values(), Counter(said).values(), view.text)
    ways = {each: list(table.ways(row)) for each, row in cells.items()}
    placed = in_order([ways[each] for each in said])
    places = {path: place for path, place in zip(rows, placed, strict=True) if place is not None}
    first = min((start for start, _ in places.values()), default=0)
    asked = {each.column: each.field for row in rows.values() for each in row}
    head = _head(asked, view.text, first)
    before = {pair for pair in table.behind if pair[::-1] not in table.behind}
    before = {pair for pair in before if not head.keys() >= set(pair)}
    before |= {(a, b) for a, at in head.items() for b, other in head.items() if at < other}
    return Listed(places, _lines(places, view.text), frozenset(before))


def _lines(places: Mapping[str, Place], text: str) -> dict[str, Place]:
    found, last = {}, 0
    starts = [*(start for start, _ in places.values()), len(text)]
    for (path, (start, end)), behind in zip(places.items(), starts[1:], strict=True):
        line, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        line_end = len(text) if line_end < 0 else line_end
        found[path] = min(start, max(line, last)), max(end, min(line_end, behind))
        last = end
    return found


_HEAD_LINES = 8
"""Lines above the first row in which the head of its table is looked for."""


def _head(fields: Mapping[str, Field], text: str, first: int) -> dict[str, int]:
    """Where a table's head has the labels of these fields: the last line above its first row that
    has two of them, and no value."""
    end = text.rfind("\n", 0, first)
    for _ in range(_HEAD_LINES):
        if end < 0:
            break
        start = text.rfind("\n", 0, end) + 1
        line = text[start:end]
        labels = {name: label_at(each, line) for name, each in fields.items()}
        found = {name: at for name, at in labels.items() if at is not None}
        if len(set(found.values())) > 1 and not any(map(str.isdigit, line)):
            return found
        end = start - 1
    return {}


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
            yield _Cell(asked.column, sorted((spot.start, spot.end) for spot in spots))


@dataclass(frozen=True, slots=True)
class _Table:
    """What the rows of a list have in common. `behind`: pairs of fields of which the second mostly
    stands behind the first; `starts`: where lines begin with what rows begin with."""

    text: str
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


def _table(rows: Collection[Sequence[_Cell]], counts: Iterable[int], text: str) -> _Table:
    """`rows`: those that differ; `counts`: how many there are of each."""
    votes = Counter[tuple[str, str]]()
    for cells, count in zip(rows, counts, strict=True):
        votes.update(dict.fromkeys(_closest(cells, text), count))
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
    return _Table(text, behind, sorted(begins))


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
