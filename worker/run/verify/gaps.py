"""Lines of a text that look like the rows of a list and have none. Pure.

A line's shape is what its first and its last two words are: words, whole numbers, numbers with
decimals, dates. What the rows of an answer have in common is known from those that stand there.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from models.reasons import FieldCode, outcome_of
from worker.run.ground import Source
from worker.run.verify.check import FieldCheck, quoted
from worker.run.verify.fold import folded
from worker.run.verify.labels import concepts_in
from worker.run.verify.lexicon import CARRIED

_FEWEST = 3
"""Rows that show what a row looks like."""

_COMMON = 0.1
"""The share of a list's rows from which on a shape is theirs."""

_WORD = re.compile(r"[^\s|]+")
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}")
_DECIMAL = re.compile(r"[^\w]*\d[\d.,']*[.,]\d{1,3}[^\w]*")

_SUMS = frozenset({"total", "final total", "subtotal"})
"""Concepts of lines that sum up others."""


class Line(NamedTuple):
    """A line with words. `start` and `end`: characters of the document."""

    start: int
    end: int
    text: str
    page: int | None


def gaps(
    sizes: Mapping[str, int], spans: Mapping[str, Sequence[int]], sources: Sequence[Source]
) -> dict[str, FieldCheck]:
    """What is missing in lists, by their paths. `sizes`: how many objects each has; `spans`: where
    those that stand in the text do, by paths such as items.0."""
    found = {}
    for path, size in sizes.items():
        places = [place for n in range(size) if (place := spans.get(f"{path}.{n}"))]
        if size >= _FEWEST and 2 * len(places) > size:
            missed = list(_missed(places, list(_lines(sources))))
            if missed:
                found[path] = _said(missed)
    return found


def _said(missed: Sequence[Line]) -> FieldCheck:
    first, more = missed[0], len(missed) - 1
    line = quoted(first.text)
    about = f"{line} (and {more} more)" if more else line
    code = FieldCode.GAPS
    return FieldCheck(outcome_of(code), code, about, [first.start, first.end], first.page)


def _lines(sources: Iterable[Source]) -> Iterator[Line]:
    for source in sources:
        page = source.pages[0] if source.pages[0] == source.pages[1] else None
        for match in re.finditer(r"[^\n]*\w[^\n]*", source.text):
            yield Line(source.start + match.start(), source.start + match.end(), match[0], page)


def _missed(places: Sequence[Sequence[int]], lines: Sequence[Line]) -> Iterator[Line]:
    """The lines in the shape of rows that no row stands on. What stands before the first and behind
    the last row has to have a shape that nothing else has."""
    starts = [line.start for line in lines]
    covered, ends = set[int](), Counter[int]()
    for start, end in places:
        last = bisect_left(starts, end) - 1
        covered.update(range(max(bisect_right(starts, start) - 1, 0), last + 1))
        ends[last] += 1
    if 2 * len(ends) <= len(places):  # several rows on a line: lines say nothing of them
        return
    shapes = Counter(_shape(lines[at].text) for at in ends)
    common = {shape for shape, n in shapes.items() if n > 1 and n >= _COMMON * len(places)}
    for at, line in enumerate(lines):
        shape = _shape(line.text)
        within = min(ends) < at < max(ends) or len(set(shape) - {"word"}) > 1
        if at not in covered and shape in common and within and not _sums_up(line.text):
            yield line


def _shape(line: str) -> tuple[str, ...]:
    words = _WORD.findall(line)
    return tuple(map(_kind, [words[0], *words[1:][-2:]])) if words else ()


def _kind(word: str) -> str:
    if not any(char.isdigit() for char in word):
        return "word"
    if _DATE.search(word):
        return "date"
    return "decimal" if _DECIMAL.fullmatch(word) else "number"


def _sums_up(line: str) -> bool:
    said = folded(line)
    return not (_SUMS.isdisjoint(concepts_in(said)) and CARRIED.isdisjoint(said.split()))
