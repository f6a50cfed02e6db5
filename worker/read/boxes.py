"""Where words stand on a page: readers tell it of one word after the other, and it is kept by each
word's place in the text. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, nan

from models.boxes import BOX, MOST_WORDS, NARROWEST, STEPS, WIDEST, Box, PageBoxes

WORD = re.compile(r"\S+")

Edges = tuple[float, float, float, float]
"""Left, top, right and bottom, from the left and downwards, in a reader's own unit."""

NOWHERE = (nan, nan, nan, nan)
"""Edges that are not known."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Of the words of a text, one after the other; None: not known, or not on the page. `ratio` is
    the page's width by its height."""

    ratio: float
    boxes: Sequence[Box | None]

    def in_order(self, numbers: Iterable[int]) -> "Boxes":
        """Of the words with these numbers, from 0."""
        return Boxes(self.ratio, [self.boxes[number] for number in numbers])


def boxes(page: Edges, words: Iterable[Edges]) -> Boxes | None:
    """The boxes of words on a page; None where no page is of such a shape. Where the page's bottom
    is a lower number than its top, so it is of words."""
    x, y, right, bottom = page
    width, height = right - x, bottom - y
    if not (width and height and NARROWEST <= abs(width / height) <= WIDEST):
        return None
    across, down, pack = STEPS / width, STEPS / height, BOX.pack
    found = list[Box | None]()
    for left, top, right, bottom in words:
        a, b = (left - x) * across, (top - y) * down
        c, d = (right - x) * across, (bottom - y) * down
        if 0 <= a < c <= STEPS and 0 <= b < d <= STEPS:
            found.append(pack(int(a), int(b), ceil(c), ceil(d)))
        else:
            found.append(_on_page(a, b, c, d))
    return Boxes(abs(width / height), found)


def _on_page(left: float, top: float, right: float, bottom: float) -> Box | None:
    """What of a word is on the page, in STEPS; None where that is nothing."""
    if not all(map(isfinite, (left, top, right, bottom))):
        return None
    a, b, c, d = max(left, 0), max(top, 0), min(right, STEPS), min(bottom, STEPS)
    return BOX.pack(int(a), int(b), ceil(c), ceil(d)) if a < c and b < d else None


def placed(text: str, boxes: Boxes | None) -> PageBoxes | None:
    """The words of a text which begins with those that the boxes are of; None: none has a box."""
    if boxes is None or len(boxes.boxes) > MOST_WORDS:
        return None
    found = PageBoxes.of(boxes.ratio, map(re.Match.span, WORD.finditer(text)), boxes.boxes)
    return found if found.packed else None
