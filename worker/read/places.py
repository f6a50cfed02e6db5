"""Text of which the characters can be asked where they stand: its columns are kept apart, and its
words have boxes. Pure."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, starmap

from models.boxes import MOST_WORDS
from worker.read import layout
from worker.read.boxes import NOWHERE, WORD, Boxes, Edges, boxes
from worker.read.grid import Run
from worker.read.layout import Line

HYPHENS = "\x02\ufffe"
"""What pdfium has for a hyphen that parts a word at the end of a line."""

_ENDING = str.maketrans(dict.fromkeys(HYPHENS, "-\n"))
_MARKS = frozenset(HYPHENS)
_LINE_END = re.compile(f"[\n{HYPHENS}]")
_ENDS = 8
_PARTED = re.compile(rf"[^\s{HYPHENS}]+[{HYPHENS}]?|[{HYPHENS}]")


def turned(turn: int, left: float, top: float, right: float, bottom: float) -> Edges:
    """A box on a page that is turned by so many quarters, as people see it: from the left, and
    downwards."""
    match turn:
        case 0:
            return left, -top, right, -bottom
        case 1:
            return bottom, left, top, right
        case 2:
            return -right, bottom, -left, top
    return -top, -right, -bottom, -left


class Places:
    """Where the words of a page stand."""

    def __init__(self, ends: Sequence[float], page: Edges, turn: int) -> None:
        """`ends` are left, top, right and bottom of each word's first character and of its last
        one, tops being the higher numbers as PDF has them; what is not known is NaN. `page` is the
        box of the page, `turn` by how many quarters it is turned."""
        self._ends, self._page, self._turn = ends, page, turn

    def run(self, text: str, words: range) -> Run | None:
        """Words of a line, of which the ends are looked at; None: they do not stand in one."""
        first, last = _ENDS * words[0], _ENDS * words[-1] + 4
        left, top, end_of_first, bottom = turned(self._turn, *self._ends[first : first + 4])
        _, last_top, right, last_bottom = turned(self._turn, *self._ends[last : last + 4])
        if right < end_of_first or not last_top <= (top + bottom) / 2 <= last_bottom:
            return None
        return Run(text, left, min(top, last_top), right, max(bottom, last_bottom), words[0])

    def boxes(self) -> Boxes | None:
        """The boxes of all words; None where the page has no extent."""
        if not self._turn:
            return boxes(self._page, self._around())
        around = starmap(partial(turned, self._turn), self._around())
        return boxes(turned(self._turn, *self._page), around)

    def _around(self) -> Iterator[Edges]:
        """Around each word; NOWHERE if its last character follows the first one neither in a line
        nor in an upright one."""
        ends = [iter(self._ends)] * _ENDS
        for left, top, right, bottom, last_left, last_top, last_right, last_bottom in zip(
            *ends, strict=True
        ):
            is_in_line = last_bottom <= (top + bottom) / 2 <= last_top
            if is_in_line or last_left <= (left + right) / 2 <= last_right:
                yield (
                    left if left < last_left else last_left,
                    top if top > last_top else last_top,
                    right if right > last_right else last_right,
                    bottom if bottom < last_bottom else last_bottom,
                )
            else:
                yield NOWHERE


def laid_out(text: str, look: Callable[[Sequence[int]], Places]) -> tuple[str, Boxes | None]:
    """A page's text with its columns kept apart where it has some, and where its words stand.

    `look` asks where characters of the text stand, of which it is given the numbers: the first and
    the last of each word, by turns."""
    is_parted = any(mark in text for mark in HYPHENS)
    found = (_PARTED if is_parted else WORD).finditer(text)
    ends = list(chain.from_iterable(map(re.Match.span, found)))
    if len(ends) > 2 * MOST_WORDS:
        return text.translate(_ENDING), None
    starts = ends[::2]
    ends[1::2] = [end - 1 for end in ends[1::2]]
    places = look(ends)
    words, lines = _lines(text, starts, places)
    looked_at = layout.stretched(lines)
    if not looked_at and not layout.stand_beside(lines):
        return text.translate(_ENDING) if is_parted else text, places.boxes()
    for number in looked_at:
        lines[number] = _with_words(lines[number], words[number], places)
    rows, boxes = layout.laid_out(lines), places.boxes()
    order = chain.from_iterable(row.words for row in rows)
    return "\n".join(row.text for row in rows), boxes and boxes.in_order(order)


def _lines(text: str, starts: Sequence[int], places: Places) -> tuple[list[range], list[Line]]:
    """Each line as one run, and the numbers of its words, which begin at `starts`."""
    words, lines = list[range](), list[Line]()
    for start, end in _line_spans(text):
        words.append(range(bisect_left(starts, start), bisect_left(starts, end)))
        said = text[start:end]
        said = said[:-1] + "-" if said[-1:] in _MARKS else said
        run = places.run(said.strip(), words[-1]) if words[-1] else None
        lines.append(Line(said, (run,) if run else (), first=words[-1].start))
    return words, lines


def _line_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where each line begins and ends; a hyphen that parts a word is its last."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield start, end.start() + (end[0] != "\n")
        start = end.end()
    yield start, len(text)


def _with_words(line: Line, words: range, places: Places) -> Line:
    """A line with its columns."""
    each = zip(line.text.split(), words, strict=True)
    runs = [places.run(text, range(word, word + 1)) for text, word in each]
    known = [run for run in runs if run is not None]
    return layout.line(line.text, known) if len(known) == len(runs) else line
