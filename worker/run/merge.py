"""Answers about stretches of one text are put together. Pure.

Of values that differ those that the checks call sure come first, of these the one that most say, of
equals the first; the others are listed. Rows of a list are told by where they stand: each stretch
has its own, and what it says of its neighbours' is left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from models.reasons import FieldCode, FieldOutcome, outcome_of
from models.words import TaskType
from worker.jsonb import canonical
from worker.run.ground import ground
from worker.run.rows import rows_of
from worker.run.verify.asked import NAMERS, Asked, asked_of
from worker.run.verify.check import FieldCheck, quoted
from worker.run.verify.fold import folded
from worker.run.verify.verify import verify
from worker.run.verify.view import view_of
from worker.run.wide import lists
from worker.run.windows import Window

Spans = Mapping[str, list[int]]
Checks = Mapping[str, FieldCheck]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was answered about a stretch of a text. Rows that end in `start` to `end`, in characters
    of the document, are its own; of a list that `ends` names, by its path, those up to there.
    `spans`: where its values stand, and the objects of its lists."""

    start: int
    end: int
    value: Mapping[str, Any]
    fields: Checks = field(default_factory=dict)
    spans: Spans = field(default_factory=dict)
    values: Sequence[Asked] = field(default=(), compare=False, repr=False)
    """Those of `value`, where they have been told apart already."""
    ends: Mapping[str, int] = field(default_factory=dict)

    def owns(self, path: str, place: Sequence[int]) -> bool:
        """Whether a row of a list is its own: it is where its last value ends."""
        return self.start < place[1] <= self.ends.get(path, self.end)


def look(
    task: TaskType,
    value: Mapping[str, Any],
    schema: Mapping[str, Any],
    window: Window,
    *,
    is_whole: bool = False,
    shown: frozenset[str] = frozenset(),
) -> Seen:
    """An answer with what its text says about it. `is_whole`: the window is all that is asked
    about, so that nobody needs the place of a row that has its list for itself. `shown`: what the
    examples said that its model was shown."""
    values = asked_of(value, schema)
    rows = rows_of(values, view_of(tuple(window.pieces)))
    places = rows.spans(2 if is_whole else 1)
    checks = verify(task, values, window.pieces, shown, rows)
    spans = {**ground(values, window.pieces, checks).spans, **places}
    return Seen(window.start, window.end, value, checks, spans, values)


def merge(seen: Sequence[Seen], schema: Mapping[str, Any]) -> Seen:
    """One answer of several, in the order of the text."""
    if len(seen) == 1:
        return seen[0]
    unique = frozenset(unit.name for unit in lists(schema, 1) if unit.is_unique)
    merging = _Merging(seen, unique, [_by_prefix(one) for one in seen])
    value = merging.object("", [(which, one.value) for which, one in enumerate(seen)])
    return Seen(seen[0].start, seen[-1].end, value, merging.fields, merging.spans)


_NOTHING: tuple[Any, ...] = (None, "", [], {})

_OF_ALL_TEXT = frozenset({FieldCode.ONLY_ONE, FieldCode.BLOCK})
"""What is said of a value because the text has no other of its kind."""

Given = Sequence[tuple[int, Any]]
"""Values, each with the number of the answer that it stands in."""


def _by_prefix(seen: Seen) -> dict[str, list[str]]:
    """The paths of all that is known of an answer's values, by each path that they stand under."""
    found: dict[str, list[str]] = {}
    for path in {**seen.fields, **seen.spans}:
        end = len(path)
        while end > 0:
            found.setdefault(path[:end], []).append(path)
            end = path.rfind(".", 0, end)
    return found


@dataclass(slots=True)
class _Merging:
    seen: Sequence[Seen]
    unique: frozenset[str]
    known: Sequence[Mapping[str, Sequence[str]]]
    fields: dict[str, FieldCheck] = field(default_factory=dict)
    spans: dict[str, list[int]] = field(default_factory=dict)

    def object(self, path: str, given: Given) -> dict[str, Any]:
        """An object with the fields of all of them."""
        keys = dict.fromkeys(key for _, value in given for key in value)
        return {
            key: self._value(
                f"{path}.{key}" if path else key,
                [(which, value[key]) for which, value in given if key in value],
            )
            for key in keys
        }

    def _value(self, path: str, given: Given) -> Any:
        said = [one for one in given if one[1] not in _NOTHING]
        if not said:
            return self._nothing(path, given)
        if all(isinstance(value, Mapping) for _, value in said):
            return self.object(path, said)
        if all(isinstance(value, list) for _, value in said):
            return self._list(path, said)
        best = self._chosen(path, said)
        self._weaken(path, best, given)
        return best

    def _nothing(self, path: str, given: Given) -> Any:
        """Where one stretch has a value that was missed, it is missed. The text has none where each
        stretch has none."""
        checks = [(which, self.seen[which].fields.get(path)) for which, _ in given]
        doubts = [which for which, check in checks if check and not _is_sure(check)]
        if doubts or all(check for _, check in checks):
            self._take(doubts[0] if doubts else given[0][0], path, path)
        return given[0][1]

    def _weaken(self, path: str, best: Any, given: Given) -> None:
        """The only value of its kind in one stretch is not the only one of the text where another
        stretch has another, or is not known to have none."""
        known = self.fields.get(path)
        if known is None or known.code not in _OF_ALL_TEXT:
            return
        others = [value for which, value in given if not self._agrees(which, path, value, best)]
        if said := [value for value in others if value not in _NOTHING]:
            self._list_conflict(path, said)
        elif others:
            code = FieldCode.UNLABELLED
            self.fields[path] = replace(known, outcome=outcome_of(code), code=code)

    def _agrees(self, which: int, path: str, value: Any, best: Any) -> bool:
        check = self.seen[which].fields.get(path)
        is_absent = check is not None and check.code is FieldCode.ABSENT
        return is_absent if value in _NOTHING else _alike(value) == _alike(best)

    def _chosen(self, path: str, said: Given) -> Any:
        votes = Counter(_alike(value) for _, value in said)
        ranks = {which: _rank(self.seen[which].fields.get(path)) for which, _ in said}
        which, best = max(said, key=lambda one: (ranks[one[0]], votes[_alike(one[1])]))
        self._take(which, path, path)
        others = {
            _alike(value): value
            for other, value in said
            if ranks[other] == ranks[which] > 0 and _alike(value) != _alike(best)
        }
        if others:
            self._list_conflict(path, list(others.values()))
        return best

    def _list_conflict(self, path: str, others: Sequence[Any]) -> None:
        known = self.fields.get(path)
        about = quoted("; ".join(map(str, others)))
        code = FieldCode.CONFLICT
        span, page = (known.span, known.page) if known else (None, None)
        self.fields[path] = FieldCheck(outcome_of(code), code, about, span, page)

    def _list(self, path: str, said: Given) -> list[Any]:
        unique = path in self.unique
        rows = not unique and all(_is_row(item) for _, items in said for item in items)
        joined: list[Any] = []
        for which, items in said:
            if path in self.seen[which].fields:
                self.fields.setdefault(path, self.seen[which].fields[path])
            kept = self._own(which, path, items) if rows else None
            if kept is None:
                kept = _further(joined, items, unique=unique)
            for index in kept:
                self._take(which, f"{path}.{index}", f"{path}.{len(joined)}")
                joined.append(items[index])
        return joined

    def _own(self, which: int, path: str, items: Sequence[Any]) -> list[int] | None:
        """The rows that stand in a stretch itself; one that stands nowhere goes with the one before
        it. None: nothing tells where they stand."""
        seen = self.seen[which]
        places = [seen.spans.get(f"{path}.{index}") for index in range(len(items))]
        is_own = next((seen.owns(path, place) for place in places if place), None)
        if is_own is None:
            return None
        kept = []
        for index, place in enumerate(places):
            is_own = seen.owns(path, place) if place else is_own
            if is_own:
                kept.append(index)
        return kept

    def _take(self, which: int, old: str, new: str) -> None:
        """What is known of a value, under its path in the whole."""
        seen = self.seen[which]
        for path in self.known[which].get(old, ()):
            moved = new + path[len(old) :]
            if path in seen.fields:
                self.fields[moved] = seen.fields[path]
            if path in seen.spans:
                self.spans[moved] = seen.spans[path]


_RANKS = {FieldOutcome.SURE: 2, FieldOutcome.CHECK: 1, FieldOutcome.WRONG: 0}


def _is_sure(check: FieldCheck) -> bool:
    return check.outcome is FieldOutcome.SURE


def _rank(check: FieldCheck | None) -> int:
    return _RANKS[check.outcome] if check else 1


def _alike(value: Any) -> str:
    """The same for values that differ in nothing but their form."""
    if isinstance(value, str):
        return " ".join(folded(value).split())
    return canonical(value).decode()


def _is_row(item: Any) -> bool:
    """Whether two equal items may be two: a name and its value say the same however often."""
    return isinstance(item, Mapping) and all(item.keys() != {each, "value"} for each in NAMERS)


def _further(joined: Sequence[Any], items: Sequence[Any], *, unique: bool) -> list[int]:
    """The items that are not there yet, by what they say."""
    known = {canonical(item) for item in joined}
    kept = []
    for index, item in enumerate(items):
        said = canonical(item)
        if said not in known:
            kept.append(index)
            known |= {said} if unique else set()
    return kept
