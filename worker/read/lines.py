"""What OCR found on a page, put together as its text. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.read.grid import ALIGNED, Run
from worker.read.layout import Line, laid_out, line
from worker.read.reading import Reading, reading

LEAST_SCORE = 0.5
"""Of 1: what an engine is less sure of is left out and counts as lost."""

LEAST_DENSITY = 0.5
"""Characters in a stretch as long as a run is high. Latin letters come to about two, Chinese signs
to one; of a script that it does not know RapidOCR reads a few signs over a whole line (0.06 to 0.24
on pages in four scripts of India)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run of text in a picture, in pixels, and how sure the engine is of it."""

    run: Run
    score: float

    @property
    def characters(self) -> int:
        """Without white space."""
        return len("".join(self.run.text.split()))

    @property
    def squares(self) -> float:
        """How often it is as long as it is high, or as high as it is long where it is upright."""
        run = self.run
        long, short = sorted((run.right - run.left, run.height), reverse=True)
        return long / max(short, 1.0)


def in_lines(found: Iterable[Found]) -> Iterator[list[Found]]:
    """Runs that stand beside each other, from left to right; lines from top to bottom."""
    line = list[Found]()
    for one in sorted(found, key=lambda one: one.run.middle):
        if line and not _beside(one.run, [each.run for each in line]):
            yield _from_left(line)
            line = []
        line.append(one)
    if line:
        yield _from_left(line)


def _beside(run: Run, line: Sequence[Run]) -> bool:
    middle = sum(one.middle for one in line) / len(line)
    height = min(run.height, min(one.height for one in line))
    return abs(run.middle - middle) <= ALIGNED * height


def _from_left(line: Iterable[Found]) -> list[Found]:
    return sorted(line, key=lambda one: one.run.left)


def is_sparse(lines: Iterable[Sequence[Found]]) -> bool:
    """Whether runs hold far fewer characters than there is room for: they are in a script that the
    engine does not know."""
    found = [one for line in lines for one in line]
    room = sum(one.squares for one in found)
    return sum(one.characters for one in found) < LEAST_DENSITY * room


def page(lines: Iterable[Sequence[Found]]) -> Reading:
    """The text of a page whose lines are in the order of reading, with its columns kept apart."""
    sure, lost = list[Line](), 0
    for found in lines:
        words = [one.run for one in found if one.score >= LEAST_SCORE]
        lost += sum(one.characters for one in found if one.score < LEAST_SCORE)
        if words:
            sure.append(line(" ".join(run.text for run in words), words))
    return reading("\n".join(laid_out(sure)), lost)
