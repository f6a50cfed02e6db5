"""What OCR found on a page, put together as its text. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.read.boxes import WORD, Edges, boxes
from worker.read.grid import ALIGNED, Run
from worker.read.layout import Line, laid_out, line
from worker.read.reading import CONTROLS, Reading

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


def page(lines: Iterable[Sequence[Found]], width: int, height: int) -> Reading:
    """The text of a page, so many pixels wide and high, whose lines are in the order of reading,
    with its columns kept apart."""
    sure, edges, lost = list[Line](), list[Edges](), 0
    for found in lines:
        runs = list[Run]()
        for one in found:
            run = one.run._replace(text=CONTROLS.sub("", one.run.text), first=len(edges))
            if one.score < LEAST_SCORE:
                lost += one.characters
            else:
                lost += len(one.run.text) - len(run.text)
                runs.append(run)
                edges += _words(run)
        if runs:
            sure.append(line(" ".join(run.text for run in runs), runs))
    rows = laid_out(sure)
    ordered = (edges[number] for row in rows for number in row.words)
    text = "\n".join(row.text for row in rows)
    return Reading(text, lost, boxes((0, 0, width, height), ordered))


def _words(run: Run) -> Iterator[Edges]:
    """Where the words of a run stand, as if all its characters were alike: from left to right, or
    downwards where it is upright."""
    width, height = run.right - run.left, run.height
    is_upright = height > width and len(run.text) > 1
    for word in WORD.finditer(run.text):
        begin, end = (at / len(run.text) for at in word.span())
        if is_upright:
            yield run.left, run.top + begin * height, run.right, run.top + end * height
        else:
            yield run.left + begin * width, run.top, run.left + end * width, run.bottom
