"""What OCR found on a page, put together as its text. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.read.reading import Reading, reading

LEAST_SCORE = 0.5
"""Of 1: what an engine is less sure of is left out and counts as lost."""

SAME_LINE = 0.5
"""Of its height: what stands this far beside a line's middle, or less, stands in the line."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run of text in a picture: how sure the engine is of it, and where it stands, in pixels."""

    text: str
    score: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> float:
        """Half-way down."""
        return (self.top + self.bottom) / 2


def in_lines(found: Iterable[Found]) -> Iterator[list[Found]]:
    """Runs that stand beside each other, from left to right; lines from top to bottom."""
    line = list[Found]()
    for run in sorted(found, key=lambda run: run.middle):
        if line and not _beside(run, line):
            yield _from_left(line)
            line = []
        line.append(run)
    if line:
        yield _from_left(line)


def _beside(run: Found, line: Sequence[Found]) -> bool:
    middle = sum(one.middle for one in line) / len(line)
    height = min(run.bottom - run.top, min(one.bottom - one.top for one in line))
    return abs(run.middle - middle) <= SAME_LINE * height


def _from_left(line: Iterable[Found]) -> list[Found]:
    return sorted(line, key=lambda run: run.left)


def page(lines: Iterable[Sequence[Found]]) -> Reading:
    """The text of a page whose lines are in the order of reading."""
    texts, lost = list[str](), 0
    for line in lines:
        texts.append(" ".join(run.text for run in line if run.score >= LEAST_SCORE))
        lost += sum(len("".join(run.text.split())) for run in line if run.score < LEAST_SCORE)
    return reading("\n".join(filter(None, texts)), lost)
