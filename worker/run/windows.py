"""The stretches of a text that a list is asked for in, each with a little of what stands before and
behind it, so that a row that a cut goes through stands whole in one of them. Pure.

Places are characters of the document's text, as in ground.Source.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from worker.run.ground import Source
from worker.tokens import estimate

MARGIN_TOKENS = 160
"""What is shown of the text before and behind a window: a row of several lines, with the foot of
one page and the head of the next between them."""

_HEAD = re.compile(r"^\|.*\|[ \t]*\n\|[ \t:|-]*-[ \t:|-]*\n(?=(?:\|.*(?:\n|\Z))*\Z)", re.MULTILINE)
"""The head of a Markdown table that goes on to where the text ends."""

_STRIP = re.compile(r"[^\n]{0,400}\n|[^\n]{1,400}(?=\s|\Z)|[^\n]{1,400}")
"""A line, or as much of a long one as a window is cut to."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a text, from `start` to `end`. `pieces` is what is shown, which is more."""

    start: int
    end: int
    pieces: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class _Strip:
    start: int
    end: int
    tokens: int


def whole(pieces: Sequence[Source]) -> Window:
    """All of a text."""
    ends = [each for piece in pieces for each in (piece.start, _end(piece))]
    return Window(min(ends, default=0), max(ends, default=0), tuple(pieces))


def around(pieces: Sequence[Source], start: int, end: int) -> Window:
    """The window of a text from `start` to `end`."""
    strips = list(_strips(pieces))
    before = [strip for strip in strips if strip.end <= start]
    behind = [strip for strip in strips if strip.start >= end]
    return _shown(pieces, start, end, before, behind)


def cut(window: Window, start: int, most_tokens: int) -> tuple[Window, ...]:
    """What a window holds from `start` on, in windows of about so many tokens: cuts are between
    lines. One line may be more."""
    strips = list(_strips(window.pieces))
    own = [at for at, strip in enumerate(strips) if start <= strip.start < window.end]
    runs, used = list[list[int]](), 0
    for at in own:
        used += strips[at].tokens
        if not runs or used > most_tokens:
            runs.append([])
            used = strips[at].tokens
        runs[-1].append(at)
    if not runs:
        return ()
    borders = [start, *(strips[run[0]].start for run in runs[1:]), window.end]
    return tuple(
        _shown(window.pieces, first, last, strips[: run[0]], strips[run[-1] + 1 :])
        for run, (first, last) in zip(runs, pairwise(borders), strict=True)
    )


def line_start(window: Window, place: int) -> int:
    """Where the line begins that a place stands in."""
    return max(strip.start for strip in _strips(window.pieces) if strip.start <= place)


def tokens(window: Window, start: int, end: int) -> int:
    """Tokens of what stands between two places, as estimated."""
    return sum(each.tokens for each in _strips(window.pieces) if start <= each.start < end)


def _shown(
    pieces: Sequence[Source],
    start: int,
    end: int,
    before: Sequence[_Strip],
    behind: Sequence[_Strip],
) -> Window:
    first = min((strip.start for strip in _near(reversed(before))), default=start)
    last = max((strip.end for strip in _near(iter(behind))), default=end)
    return Window(start, end, (*_head(pieces, first), *_clipped(pieces, first, last)))


def _head(pieces: Sequence[Source], at: int) -> Iterator[Source]:
    """The head of the table that a place stands in: without it a row does not say what is what."""
    for piece in pieces:
        if piece.start < at < _end(piece):
            above = piece.text[: at - piece.start]
            for match in _HEAD.finditer(above) if above.endswith("\n") else ():
                yield Source(piece.start + match.start(), match[0], piece.ordinal, piece.pages)


def _near(strips: Iterator[_Strip]) -> Iterator[_Strip]:
    used = 0
    for strip in strips:
        used += strip.tokens
        if used > MARGIN_TOKENS:
            return
        yield strip


def _strips(pieces: Sequence[Source]) -> Iterator[_Strip]:
    for piece in pieces:
        for match in _STRIP.finditer(piece.text):
            at = piece.start
            yield _Strip(at + match.start(), at + match.end(), estimate(match[0]))


def _clipped(pieces: Sequence[Source], start: int, end: int) -> Iterator[Source]:
    for piece in pieces:
        first, last = max(start, piece.start), min(end, _end(piece))
        if first < last:
            text = piece.text[first - piece.start : last - piece.start]
            yield Source(first, text, piece.ordinal, piece.pages)


def _end(piece: Source) -> int:
    return piece.start + len(piece.text)
