"""What OCR found on a page, put together as its text. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.read.layout import Line, Run, laid_out, line
from worker.read.reading import Reading, reading

LEAST_SCORE = 0.5
"""Of 1: what an engine is less sure of is left out and counts as lost."""

SAME_LINE = 0.5
"""Of its height: what stands this far beside a line's middle, or less, stands in the line."""


LEAST_DENSITY = 0.5
"""Characters in a stretch as long as a run is high. Latin letters come to about two, Chinese signs
to one; of a script that it does not know RapidOCR reads a few signs over a whole line (0.06 to 0.24
on pages in four scripts of India)."""


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

    @property
    def squares(self) -> float:
        """How often it is as long as it is high, or as high as it is long where it is upright."""
        long, short = sorted((self.right - self.left, self.bottom - self.top), reverse=True)
        return long / max(short, 1.0)


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


def is_sparse(lines: Iterable[Sequence[Found]]) -> bool:
    """Whether runs hold far fewer characters than there is room for: they are in a script that the
    engine does not know."""
    runs = [run for line in lines for run in line]
    characters = sum(len("".join(run.text.split())) for run in runs)
    return characters < LEAST_DENSITY * sum(run.squares for run in runs)


def page(lines: Iterable[Sequence[Found]]) -> Reading:
    """The text of a page whose lines are in the order of reading, with its columns kept apart."""
    sure, lost = list[Line](), 0
    for runs in lines:
        words = [run for run in runs if run.score >= LEAST_SCORE]
        lost += sum(len("".join(run.text.split())) for run in runs if run.score < LEAST_SCORE)
        if words:
            sure.append(line(" ".join(run.text for run in words), list(map(_run, words))))
    return reading("\n".join(laid_out(sure)), lost)


def _run(found: Found) -> Run:
    return Run(found.text, found.left, found.top, found.right, found.bottom)
