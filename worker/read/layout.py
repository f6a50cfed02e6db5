"""Forms and tables as text: what stands in columns is written with its columns kept apart. Pure.

Running text, and articles in several columns, stay as their reader has them. No word is added, lost
or changed: only the space between words, and of columns that belong together and were written one
after the other, the order of their lines.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from worker.read.grid import Row, Run, grid, joint

WIDE = 1.0
"""Of a line's height: from there on a gap parts two columns. Between the words of a justified line
it is seldom more than 0.7."""

BOXED = 2.5
"""Of a line's height: single characters closer than that are the signs of one value in boxes."""

CLEAR = 2.0
"""Times as wide as the widest gap between its words is each gap between columns, where a line shows
that it has columns: in a justified line all gaps are alike."""

EVEN = 1.5
"""Times: gaps that differ by less part the words of a justified line, or those of a poor one."""

FLUSH = 0.25
"""Of a line's height: columns whose edges or middles are no further apart are one column."""

LONG = 7
"""Words. Lines of as many are running text."""

FEW = 3
"""Words: an amount with its currency, a date."""

MOST = 0.6
"""Share of a column's lines that are labels, or figures, where that is what it holds."""

STRETCHED = 1.3
"""Times as long, for each of its characters, as the lines of a page without gaps."""

SPARSE = 0.8
"""Of its height, for each of its characters: where all lines are as long, that is for their gaps.
Latin letters without any come to 0.35 to 0.5, those of a typewriter to 0.75."""

MOST_LINES = 1_000
"""No page that people read has more."""

MOST_BLOCKS = 60
"""Of several lines each. More are not compared with each other, which takes time."""

_BRIDGED = 2
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LABEL = re.compile(r"[:\uff1a]\s*$")
_ITEM = re.compile(r"\W{0,2}\w{0,3}(?:\.\w{1,3}){0,3}\W{0,2}")
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")


class Line(NamedTuple):
    """A line as its reader has it, and its columns from left to right, or all of it as one. Without
    any it stays where it is and as it is. `first` is the number of its first word, as in Run."""

    text: str
    cells: tuple[Run, ...] = ()
    is_clear: bool = False
    """Whether its gaps show that it has columns."""
    first: int = 0

    @property
    def row(self) -> Row:
        """As it is."""
        return Row(self.text, range(self.first, self.first + len(self.text.split())))

    @property
    def extent(self) -> Run:
        """All of it as one run."""
        return self.cells[0] if len(self.cells) == 1 else joint(self.cells)


Block = list[Line]


def line(text: str, words: Sequence[Run]) -> Line:
    """A line with its words, from the left, put together to columns where no wide gap parts them.
    Single characters near each other are not: signs in boxes, or dots that lead to a figure."""
    columns, narrow, wide = [[words[0]]], [0.0], list[float]()
    for left, right in pairwise(words):
        gap, height = right.left - left.right, max(left.height, right.height)
        boxed = len(left.text) == 1 and len(right.text) == 1 and gap < BOXED * height
        if gap >= WIDE * height and not boxed:
            columns.append([right])
            wide.append(gap)
        else:
            columns[-1].append(right)
            narrow.append(0.0 if boxed else gap)
    cells = tuple(map(joint, columns))
    clear = bool(wide) and min(wide) >= CLEAR * max(narrow)
    even = len(wide) > 1 and len(cells) == len(words) and max(wide) < EVEN * min(wide)
    clear = clear and not (even and not any(map(_is_figure, cells[1:])))
    return Line(text, cells, clear, words[0].first)


def stretched(lines: Sequence[Line]) -> set[int]:
    """The numbers of the lines, of which the extents are known, that may have columns: they are
    longer than their characters explain, or stand by such a line."""
    known = [
        (number, run.right - run.left, run.height * len(run.text))
        for number, line in enumerate(lines)
        for run in line.cells[:1]
        if " " in run.text and run.height > 0  # of flat text nothing is known
    ]
    if len(known) < 2 or len(lines) > MOST_LINES:
        return set()
    usual = sorted(length / size for _, length, size in known)[len(known) // 4]
    least = min(STRETCHED * usual, SPARSE)
    long = [number for number, length, size in known if length > least * size]
    if len(long) < 2:
        return set()
    reach = range(-_BRIDGED, _BRIDGED + 1)
    near = {number + step for number in long for step in reach}
    return {number for number in near if 0 <= number < len(lines) and lines[number].cells}


def stand_beside(lines: Sequence[Line]) -> bool:
    """Whether lines of a page stand beside others, other than as columns of running text do."""
    runs = [line.cells[0] for line in lines if line.cells]
    if len(runs) > MOST_LINES:
        return False
    down = sorted(runs, key=lambda run: run.middle)
    return (
        sum(
            (a.is_beside(b) or b.is_beside(a)) and not (_is_long(a.text) or _is_long(b.text))
            for a, b in pairwise(down)
        )
        > 1
    )


def laid_out(lines: Sequence[Line]) -> list[Row]:
    """The lines of a page, with columns kept apart by spaces where there are some."""
    right_to_left = any(_RIGHT_TO_LEFT.search(line.text) for line in lines)
    if right_to_left or len(lines) > MOST_LINES:
        return [line.row for line in lines]
    groups = _tied(list(_blocks(_beside_each_other(lines))))
    return [row for group in groups for row in _written(group)]


def _is_long(text: str) -> bool:
    return len(text.split()) >= LONG


def _beside_each_other(lines: Iterable[Line]) -> Iterator[Line]:
    """Lines of which one follows the other, to the right of it, become one."""
    last: Line | None = None
    for line in lines:
        if last and last.cells and line.cells and _goes_on(last.extent, line.extent):
            both = f"{last.text}\n{line.text}"
            last = Line(both, last.cells + line.cells, True, last.first)
            continue
        if last is not None:
            yield last
        last = line
    if last is not None:
        yield last


def _goes_on(left: Run, right: Run) -> bool:
    gap = right.left - left.right
    return right.is_beside(left) and gap >= WIDE * max(left.height, right.height)


def _blocks(lines: Iterable[Line]) -> Iterator[Block]:
    """Lines that follow each other downwards, one below the other."""
    block = Block()
    for line in lines:
        if block and not _is_below(line, block[-1]):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _is_below(line: Line, last: Line) -> bool:
    if not (line.cells and last.cells):
        return False
    lower, upper = line.extent, last.extent
    overlaps = lower.left < upper.right and upper.left < lower.right
    return overlaps and lower.middle > upper.middle and not lower.is_in_line(upper)


def _tied(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks in the order of reading, those together that are columns of one form or table."""
    known = [number for number, block in enumerate(blocks) if len(block) > 1 and block[0].cells]
    group = list(range(len(blocks)))
    if len(known) > MOST_BLOCKS:
        return [[block] for block in blocks]
    around = {number: joint([line.extent for line in blocks[number]]) for number in known}
    for left in known:
        beside = [right for right in known if _faces(around[right], around[left])]
        for right in beside:
            between = any(_faces(around[right], around[one]) for one in beside if one != right)
            if not between and _belong_together(blocks[left], blocks[right]):
                old, new = group[right], group[left]
                group = [min(old, new) if one in (old, new) else one for one in group]
    tied: dict[int, list[Block]] = {}
    for number, block in enumerate(blocks):
        tied.setdefault(group[number], []).append(block)
    return list(tied.values())


def _faces(right: Run, left: Run) -> bool:
    return right.left >= left.right and right.top < left.bottom and left.top < right.bottom


def _belong_together(left: Block, right: Block) -> bool:
    """Whether lines of one column say what those of the other are: labels and what they name, or
    words and their figures. Each has to have its partner; but a label may name nothing. So a cell
    of several lines is never taken apart."""
    top = max(left[0].extent.top, right[0].extent.top)
    bottom = min(left[-1].extent.bottom, right[-1].extent.bottom)
    names, named = (
        [line for line in block if top <= line.extent.middle <= bottom] for block in (left, right)
    )
    if len(named) < max(2, MOST * len(right)) or _is_running(left) or _is_running(right):
        return False
    partners = [_partners(line, names) for line in named]
    alone = set(range(len(names))).difference(*partners)
    if not all(partners) or not all(_is_label(names[one]) for one in alone):
        return False
    if _share(map(_is_label, names)) >= MOST:
        return _share(map(_is_label, named)) < MOST
    return len(named) > 2 and _share(_is_figure(line.cells[0]) for line in named) >= MOST


def _partners(line: Line, others: Block) -> set[int]:
    return {number for number, one in enumerate(others) if one.extent.is_in_line(line.extent)}


def _is_label(line: Line) -> bool:
    return _LABEL.search(line.text) is not None


def _share(holds: Iterable[bool]) -> float:
    found = list(holds)
    return sum(found) / len(found)


def _is_running(block: Block) -> bool:
    return median(len(line.text.split()) for line in block) >= LONG


def _is_figure(cell: Run) -> bool:
    """Amounts, dates and numbers of things; not the lines of an address."""
    digits = len(_DIGIT.findall(cell.text))
    return digits > 0 and len(_LETTER.findall(cell.text)) <= 2 * digits


def _written(group: Sequence[Block]) -> Iterator[Row]:
    if len(group) > 1:
        yield from grid(_rows([line for block in group for line in block]))
        return
    [block] = group
    last = 0
    for first, end in _tables(block):
        yield from (line.row for line in block[last:first])
        yield from grid([list(line.cells) for line in block[first:end]])
        last = end
    yield from (line.row for line in block[last:])


def _rows(lines: Iterable[Line]) -> list[list[Run]]:
    """Cells of lines that stand in one line, from the left; downwards."""
    rows = list[list[Line]]()
    for line in sorted(lines, key=lambda line: line.extent.middle):
        if rows and rows[-1][0].extent.is_in_line(line.extent):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [
        sorted((cell for line in row for cell in line.cells), key=lambda cell: cell.left)
        for row in rows
    ]


def _tables(block: Block) -> Iterator[tuple[int, int]]:
    """From where to where a block is a table: lines whose columns are in line, with those of
    several cells that touch them, and hardly one of a single cell between."""
    several = [number for number, line in enumerate(block) if len(line.cells) > 1]
    near = [(a, b) for a, b in pairwise(several) if b - a <= 1 + _BRIDGED]
    aligned = {number for a, b in near if _are_aligned(block[a], block[b]) for number in (a, b)}
    rows = [number for number in several if aligned & {number - 1, number, number + 1}]
    first = 0
    for number, (row, following) in enumerate(pairwise([*rows, len(block) + 1 + _BRIDGED]), 1):
        if following - row > 1 + _BRIDGED:
            yield rows[first], row + 1
            first = number


def _are_aligned(upper: Line, lower: Line) -> bool:
    """Whether most columns of one stand in line with columns of the other; the first one does in
    any text."""
    if _reads_well(upper) or _reads_well(lower):
        return False
    near = FLUSH * min(upper.extent.height, lower.extent.height)
    fewer, more = sorted((upper.cells[1:], lower.cells[1:]), key=len)
    flush = sum(any(_are_flush(a, b, near) for b in more) for a in fewer)
    return 2 * flush >= len(fewer)


def _are_flush(a: Run, b: Run, near: float) -> bool:
    """By their left edges; few words also by their right ones, or centred. The right edge of many
    is the margin's."""
    left, right = a.left - b.left, a.right - b.right
    if max(len(a.text.split()), len(b.text.split())) > FEW:
        return abs(left) <= near
    return min(abs(left), abs(right), abs(left + right) / 2) <= near


def _reads_well(line: Line) -> bool:
    """Whether the gaps in a line say nothing: those of a justified one, behind the number of an
    item, behind a label, or between two columns of running text."""
    if not line.is_clear or sum(_is_long(cell.text) for cell in line.cells) > 1:
        return True
    if len(line.cells) > 2:
        return False
    first = line.cells[0].text
    is_label = _LABEL.search(first) is not None and "\n" not in line.text
    return is_label or _ITEM.fullmatch(first) is not None
