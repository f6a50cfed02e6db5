"""Runs of words where they stand on a page, and rows of them as lines of text. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

ALIGNED = 0.5
"""Of a line's height: lines whose middles are no further apart are one line of the page."""

APART = 2
"""Spaces between two columns, at least."""

_WIDEST = 300


class Run(NamedTuple):
    """Words beside each other, and where they stand: from the left, and downwards. `first` is the
    number of the first of them among the words of its page, from 0, as its reader has them."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    first: int = 0

    @property
    def words(self) -> range:
        """Their numbers."""
        return range(self.first, self.first + len(self.text.split()))

    @property
    def middle(self) -> float:
        """Half-way down."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.bottom - self.top

    def is_in_line(self, other: "Run") -> bool:
        """Whether both stand in one line of a page."""
        return abs(self.middle - other.middle) <= ALIGNED * min(self.height, other.height)

    def is_beside(self, other: "Run") -> bool:
        """Whether it stands in the other's line, and to the right of it."""
        return self.left >= other.right and self.is_in_line(other)


class Row(NamedTuple):
    """A line of text as it is written, and the numbers of its words."""

    text: str
    words: Sequence[int]


def joint(runs: Sequence[Run]) -> Run:
    """All of them as one."""
    return Run(
        " ".join(run.text for run in runs),
        min(run.left for run in runs),
        min(run.top for run in runs),
        max(run.right for run in runs),
        max(run.bottom for run in runs),
        runs[0].first,
    )


def grid(rows: Sequence[Sequence[Run]]) -> list[Row]:
    """Rows with each cell about where it stands on the page; what no row of several cells needs of
    the space between columns is left out."""
    left, letter = min(cell.left for row in rows for cell in row), _letter(rows)
    placed = [list(_placed(row, left, letter)) for row in rows]
    taken = {
        column
        for row in placed
        if len(row) > 1
        for start, text in row
        for column in range(start, start + len(text) + APART)
    }
    widest = max(start for row in placed for start, _ in row)
    shift = [0]
    for column in range(widest):
        shift.append(shift[-1] + (column not in taken))
    texts = (_spaced([(start - shift[start], text) for start, text in row]) for row in placed)
    words = ([number for cell in row for number in cell.words] for row in rows)
    return list(map(Row, texts, words))


def _letter(rows: Sequence[Sequence[Run]]) -> float:
    """How wide a letter is to be taken for, so that cells reach no further than to the next one: as
    on average, or down to half of that."""
    cells = [cell for row in rows for cell in row]
    usual = sum(cell.right - cell.left for cell in cells) / sum(len(cell.text) for cell in cells)
    room = [
        (right.left - left.left) / (len(left.text) + APART)
        for row in rows
        for left, right in pairwise(row)
    ]
    return max(min([usual, *room]), usual / 2) or 1.0


def _placed(row: Sequence[Run], left: float, letter: float) -> Iterator[tuple[int, str]]:
    """Where each cell begins, in characters, and its text."""
    end = -APART
    for cell in row:
        start = max(min(round((cell.left - left) / letter), _WIDEST), end + APART)
        yield start, cell.text
        end = start + len(cell.text)


def _spaced(row: Iterable[tuple[int, str]]) -> str:
    text = ""
    for start, cell in row:
        text += " " * max(start - len(text), APART if text else 0) + cell
    return text
