"""A page drawn from where its words stand, with the values that stand in them. Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.boxes import PageBoxes, Word

WIDTH = 1_000.0
"""Of every page as it is drawn; its height follows."""

PART = 600.0
"""How much of its height is seen at first: at this a letter is large enough to be read."""

SIZE, BELOW = 0.8, 0.2
"""Of a word's height: its letters' size, and what of it is below their line."""

UPRIGHT = 2.0
"""A word of several letters that is so many times higher than it is wide runs upwards."""


@dataclass(frozen=True, slots=True)
class PageWords:
    """A page of a document: where it begins in the text, the boxes of its words, and the chunks
    that hold its text, each with its own beginning."""

    page: int
    char_start: int
    boxes: PageBoxes
    pieces: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A word with its box, and the names of the values that stand in it."""

    text: str
    names: Sequence[str]
    x: float
    y: float
    width: float
    height: float

    @property
    def is_upright(self) -> bool:
        """Whether it runs upwards, as beside a table."""
        return len(self.text) > 1 and self.height > UPRIGHT * self.width

    @property
    def size(self) -> float:
        """Of its letters."""
        return SIZE * (self.width if self.is_upright else self.height)

    @property
    def length(self) -> float:
        """Of its line."""
        return self.height if self.is_upright else self.width

    @property
    def line(self) -> tuple[float, float]:
        """Where the line of its letters begins."""
        if self.is_upright:
            return self.x + (1 - BELOW) * self.width, self.y + self.height
        return self.x, self.y + (1 - BELOW) * self.height


@dataclass(frozen=True, slots=True)
class Facsimile:
    """A page of WIDTH and this height. What is seen of it at first is PART high and begins at
    `top`, or is all of it."""

    page: int
    height: float
    top: float
    words: Sequence[Drawn]
    width: float = WIDTH

    @property
    def part(self) -> float:
        """How high that is."""
        return min(PART, self.height)


def facsimile(page: PageWords, spans: Mapping[str, Sequence[int]], target: str) -> Facsimile | None:
    """The page with the values that stand on it, at the `target`; None: that does not.

    `spans` says where each value begins and ends in the document's text.
    """
    words, height = list(page.boxes), WIDTH / page.boxes.ratio
    values = _values(words, page.char_start, spans)
    text = _text(page, max((word.end for word in words), default=0))
    drawn = [
        _drawn(word, text[word.start : word.end], values.get(number, ()), height)
        for number, word in enumerate(words)
    ]
    here = next((word for word in drawn if target in word.names), None)
    if here is None:
        return None
    middle = here.y + here.height / 2
    top = max(min(middle - PART / 2, height - PART), 0.0)
    return Facsimile(page.page, height, top, [word for word in drawn if word.text])


def _values(
    words: Sequence[Word], start: int, spans: Mapping[str, Sequence[int]]
) -> Mapping[int, Sequence[str]]:
    """The names of the values that stand in words, by the number of each."""
    starts, ends = [word.start for word in words], [word.end for word in words]
    found = defaultdict[int, list[str]](list)
    for name, (first, end) in spans.items():
        for number in range(bisect_right(ends, first - start), bisect_left(starts, end - start)):
            found[number].append(name)
    return found


def _text(page: PageWords, size: int) -> str:
    """So many characters of a page, as its chunks have them; spaces where none has any."""
    text = [" "] * size
    for at, piece in page.pieces:
        skipped, at = max(page.char_start - at, 0), max(at - page.char_start, 0)
        said = piece[skipped : skipped + max(size - at, 0)]
        text[at : at + len(said)] = said
    return "".join(text)


def _drawn(word: Word, text: str, names: Sequence[str], height: float) -> Drawn:
    x, y = WIDTH * word.left, height * word.top
    return Drawn(text.strip(), names, x, y, WIDTH * word.right - x, height * word.bottom - y)
