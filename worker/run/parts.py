"""A document too long for one prompt is asked in parts, and the parts are put together: at once
where that needs no engine, else by asking about what they said, in as many levels as it takes."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from models.words import SEPARATOR, TaskType
from worker.run.ground import Source
from worker.run.job import Found
from worker.run.outcome import Part
from worker.tokens import estimate


def text_of(pieces: Sequence[Source]) -> str:
    """The prompt text of a run of pieces."""
    return SEPARATOR.join(piece.text for piece in pieces)


def first_level(pieces: Sequence[Source], room_tokens: int) -> tuple[Part, ...]:
    """The parts of a text: neighbouring pieces of at most `room_tokens`; a larger one alone."""
    sizes = [estimate(piece.text) for piece in pieces]
    return tuple(
        Part(1, pieces[start].ordinal, pieces[end - 1].ordinal, sum(sizes[start:end]))
        for start, end in _runs(sizes, room_tokens, least=1)
    )


def next_level(found: Sequence[Found], level: int, room_tokens: int) -> tuple[Part, ...]:
    """The parts that sum up what the parts of the level before said: at least two at a time, so
    that there are fewer at each level."""
    sizes = [estimate(partial_answers([one])) for one in found]
    return tuple(
        Part(level + 1, found[start].part, found[end - 1].part, sum(sizes[start:end]))
        for start, end in _runs(sizes, room_tokens, least=2)
    )


def _runs(sizes: Sequence[int], room: int, least: int) -> list[tuple[int, int]]:
    """Neighbours in runs of `room` in all, of `least` at least where there are so many."""
    starts, used = [0], 0
    for index, size in enumerate(sizes):
        if index - starts[-1] >= least and used + size > room:
            starts.append(index)
            used = 0
        used += size
    if len(starts) > 1 and len(sizes) - starts[-1] < least:
        if starts[-1] - starts[-2] > least:
            starts[-1] -= 1
        else:
            starts.pop()
    return list(pairwise([*starts, len(sizes)]))


def partial_answers(found: Sequence[Found]) -> str:
    """The text of a prompt about what was found part by part."""
    lines = (
        f"Part {number}: " + "; ".join(str(value) for value in one.value.values())
        for number, one in enumerate(found, start=1)
    )
    return "\n".join(lines)


def merge(task: TaskType, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Put partial answers together where that needs no engine; None where it does.

    Extraction takes the first value that some part found for each field and joins lists; a label
    is the one that most parts chose.
    """
    match task:
        case TaskType.EXTRACTION:
            merged: dict[str, Any] = {}
            for part in parts:
                merged = _filled(merged, part)
            return merged
        case TaskType.CLASSIFICATION:
            most = Counter(json.dumps(part, sort_keys=True) for part in parts).most_common(1)
            chosen: dict[str, Any] = json.loads(most[0][0])
            return chosen
        case _:
            return None


def _filled(known: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """What is known, with what it lacks from another part; inner objects in the same way."""
    keys = dict.fromkeys([*known, *more])
    return {key: _better(known.get(key), more.get(key)) for key in keys}


def _better(known: Any, value: Any) -> Any:
    if isinstance(known, list) and isinstance(value, list):
        return known + [item for item in value if item not in known]
    if isinstance(known, dict) and isinstance(value, dict):
        return _filled(known, value)
    return value if known in (None, "", [], {}) else known
