"""A document too long for one prompt is asked in parts, and the parts are put together: at once
where that needs no engine (merge.py), else by asking about what they said, in as many levels as it
takes."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from models.words import SEPARATOR
from worker.run.ground import Source
from worker.run.job import Found
from worker.run.merge import Seen
from worker.run.outcome import Part
from worker.tokens import Script, estimate


def text_of(pieces: Sequence[Source]) -> str:
    """The prompt text of a run of pieces."""
    return SEPARATOR.join(piece.text for piece in pieces)


Rates = Mapping[Script, float]
"""What a model makes of a text (rates.py)."""


def first_level(
    pieces: Sequence[Source], room_tokens: int, rates: Rates | None = None
) -> tuple[Part, ...]:
    """The parts of a text: neighbouring pieces of at most `room_tokens`; a larger one alone."""
    sizes = [estimate(piece.text, rates) for piece in pieces]
    return tuple(
        Part(1, pieces[start].ordinal, pieces[end - 1].ordinal, sum(sizes[start:end]))
        for start, end in _runs(sizes, room_tokens, least=1)
    )


def next_level(
    found: Sequence[Found], level: int, room_tokens: int, rates: Rates | None = None
) -> tuple[Part, ...]:
    """The parts that sum up what the parts of the level before said: at least two at a time, so
    that there are fewer at each level."""
    sizes = [estimate(partial_answers([one]), rates) for one in found]
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


def most_said(found: Sequence[Found]) -> dict[str, Any]:
    """The label that most parts chose, the first of equals."""
    said = Counter(json.dumps(dict(one.value), sort_keys=True) for one in found)
    chosen: dict[str, Any] = json.loads(said.most_common(1)[0][0])
    return chosen


def seen_in(pieces: Sequence[Source], found: Sequence[Found]) -> tuple[Seen, ...]:
    """What the parts of a document say, each of its own stretch of the text: from its first piece
    to the next part's."""
    starts = {piece.ordinal: piece.start for piece in pieces}
    ends = [*(starts[one.part] for one in found[1:]), pieces[-1].start + len(pieces[-1].text)]
    return tuple(
        Seen(starts[one.part], end, one.value, one.fields, one.spans)
        for one, end in zip(found, ends, strict=True)
    )
