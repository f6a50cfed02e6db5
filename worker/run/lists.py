"""A list that one answer does not hold is asked for in pieces: what follows from an answer that
ended where its list was bound to, or was cut off. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.reasons import FieldCode, outcome_of
from worker.run.merge import Seen
from worker.run.verify.check import FieldCheck
from worker.run.wide import Unit, lists, only, pieced
from worker.run.windows import MARGIN_TOKENS, Window, cut, line_start, tokens

TEXT_PER_ANSWER = 4
"""A part of a long document holds so many times the output limit of text: a list takes about as
many tokens as the text that it is made of, and most text is no list."""

LEAST_TOKENS = 40
"""A window of less is not cut again."""

_ASKED_AGAIN = 3
"""The last rows of a list that was cut are asked for again: the very last may be one half of a row,
taken for an equal one further on."""

_SPARE = 0.75
"""What the next window holds of that which filled the answer before it: rows differ."""


@dataclass(frozen=True, slots=True)
class Question:
    """A schema, and the text that it is asked about."""

    schema: Mapping[str, Any]
    window: Window


def list_room(room_tokens: int, max_tokens: int) -> int:
    """Tokens of text that a part of a list is asked in, its margins left aside."""
    most = min(room_tokens, TEXT_PER_ANSWER * max_tokens)
    return max(most - 2 * MARGIN_TOKENS, most // 2)


def further(question: Question, seen: Seen, max_tokens: int) -> tuple[Seen, tuple[Question, ...]]:
    """What of an answer is complete, and the questions about what its lists had no room for."""
    window = question.window
    full = [unit for unit in lists(question.schema, max_tokens) if _is_full(seen.value, unit)]
    places = {unit: place for unit in full if (place := _reached(seen, unit)) is not None}
    full = [unit for unit in full if unit not in places or places[unit][1] <= window.end]
    reached = {unit: places[unit] for unit in full if unit in places}
    questions: tuple[Question, ...] = ()
    if reached:
        end = min(line_start(window, place[1] - 1) for place in reached.values())
        schema = pieced(only(question.schema, [unit.path for unit in reached]))
        questions = tuple(Question(schema, each) for each in _rest(window, end))
    if not questions:
        return _cut_off(seen, full), ()
    lost = [unit for unit in full if unit not in reached]
    return replace(_cut_off(seen, lost), ends={unit.name: end for unit in reached}), questions


def _rest(window: Window, end: int) -> tuple[Window, ...]:
    """The windows of what stands behind `end`."""
    if end > window.start:
        return cut(window, end, int(_SPARE * tokens(window, window.start, end)))
    return parted(window)


def parted(window: Window) -> tuple[Window, ...]:
    """Its halves; none: it is too short for that."""
    size = tokens(window, window.start, window.end)
    parts = cut(window, window.start, -(-size // 2)) if size >= LEAST_TOKENS else ()
    return parts if len(parts) > 1 else ()


def apart(question: Question) -> tuple[Question, ...]:
    """The questions in place of one about too long a text; none: it cannot be parted."""
    schema = pieced(question.schema)
    return tuple(Question(schema, each) for each in parted(question.window))


def halves(question: Question, max_tokens: int) -> tuple[Question, ...]:
    """The questions in place of one whose answer was cut off; none: no list is why, or it cannot be
    parted."""
    return apart(question) if lists(question.schema, max_tokens) else ()


def _is_full(value: Mapping[str, Any], unit: Unit) -> bool:
    """Whether a list ended because it was bound to. One that is longer knew no bound."""
    items = _at(value, unit)
    return isinstance(items, list) and len(items) == unit.most


def _reached(seen: Seen, unit: Unit) -> Sequence[int] | None:
    """Where one of the last rows of a list stands; None: most stand nowhere, so that it says
    nothing."""
    items = _at(seen.value, unit) or []
    paths = (f"{unit.name}.{index}" for index in range(len(items)))
    places = [seen.spans[path] for path in paths if path in seen.spans]
    return places[-_ASKED_AGAIN:][0] if 2 * len(places) > len(items) else None


def _at(value: Any, unit: Unit) -> Any:
    for key in unit.path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _cut_off(seen: Seen, units: Sequence[Unit]) -> Seen:
    """With what is said of lists that may have ended too early."""
    code = FieldCode.CUT_OFF
    checks = {
        unit.name: FieldCheck(outcome_of(code), code, f"after {len(_at(seen.value, unit))} items")
        for unit in units
    }
    return replace(seen, fields={**seen.fields, **checks}) if checks else seen


def clipped(seen: Seen, schema: Mapping[str, Any]) -> Seen:
    """With no more items in a list than the schema allows; what is left out is said."""
    for unit in lists(schema, 1):
        items = _at(seen.value, unit)
        if unit.bound is not None and isinstance(items, list) and len(items) > unit.bound:
            seen = _clipped(seen, unit, unit.bound)
    return seen


def _clipped(seen: Seen, unit: Unit, bound: int) -> Seen:
    items = _at(seen.value, unit)
    code = FieldCode.CUT_OFF
    check = FieldCheck(outcome_of(code), code, f"{bound} of {len(items)} that were found")

    def stays(path: str) -> bool:
        under = path.removeprefix(f"{unit.name}.")
        index = under.partition(".")[0]
        return under == path or not index.isdecimal() or int(index) < bound

    return replace(
        seen,
        value=_with(seen.value, unit.path, items[:bound]),
        values=(),
        fields={path: each for path, each in seen.fields.items() if stays(path)}
        | {unit.name: check},
        spans={path: each for path, each in seen.spans.items() if stays(path)},
    )


def _with(value: Mapping[str, Any], path: Sequence[str], new: Any) -> dict[str, Any]:
    key, *under = path
    return {**value, key: _with(value[key], under, new) if under else new}


def sizes(value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, int]:
    """How many items each list of an answer has."""
    found = {unit.name: _at(value, unit) for unit in lists(schema, 1)}
    return {name: len(items) for name, items in found.items() if isinstance(items, list)}
