"""Where the words of a page stand on it, as both sides keep it: small, and read back as it was."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

STEPS = 1_000
"""Of a page's width, and of its height: of A4 each is a third of a millimetre at most."""

MOST_WORDS = 10_000
"""Of a page: one of a newspaper holds about half of that. Of one with more no boxes are kept."""

MOST_OF_DOCUMENT = 1_000_000
"""Words of a document: 14 MB. Pages after those that hold as many have text alone."""

LONGEST = 1_000
"""Characters of a word, which is a line in scripts without spaces: a longer one has no box."""

NARROWEST, WIDEST = 0.01, 100.0
"""Widths of a page by its height: one beyond them has no boxes."""

Box = bytes
"""Left, top, right and bottom of a word as people see the page, from its upper left corner, in
STEPS of its width and height, as BOX packs them. As numbers, those of all words would be so many
objects that Python's collector takes longer over them than the reader over the page."""

BOX = Struct("<4H")
_SPAN = Struct("<IH")
_WORD = Struct("<IH4H")


class Word(NamedTuple):
    """A word of a text: from `start` to before `end`, in characters, and its box in shares of the
    page's width and height, from the upper left corner."""

    start: int
    end: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PageBoxes:
    """The words of a page's text that have a box. `ratio` is the page's width by its height;
    `packed` a record of 14 bytes for each word: where it begins in the text, how many characters it
    has, and its Box."""

    ratio: float
    packed: bytes

    @classmethod
    def of(
        cls, ratio: float, spans: Iterable[tuple[int, int]], boxes: Iterable[Box | None]
    ) -> "PageBoxes":
        """Pack words, of each where it begins and ends and its box; one without, or too long, is
        left out."""
        pack = _SPAN.pack
        packed = [
            pack(start, end - start) + box
            for box, (start, end) in zip(boxes, spans, strict=False)
            if box and end - start <= LONGEST
        ]
        return cls(ratio, b"".join(packed))

    @classmethod
    def of_compact(cls, ratio: float, compact: bytes) -> "PageBoxes":
        """What `compact` made, unpacked."""
        planes = zlib.decompress(compact)
        packed, words = bytearray(len(planes)), len(planes) // _WORD.size
        for number in range(_WORD.size):
            packed[number :: _WORD.size] = planes[number * words : (number + 1) * words]
        return cls(ratio, bytes(packed))

    def compact(self) -> bytes:
        """The words in about 5 bytes each: the first bytes of all, then the second ones and so on,
        which are much alike, deflated."""
        planes = (self.packed[number :: _WORD.size] for number in range(_WORD.size))
        return zlib.compress(b"".join(planes), level=1)

    def __len__(self) -> int:
        """Words."""
        return len(self.packed) // _WORD.size

    def __iter__(self) -> Iterator[Word]:
        """The words, in the order of the text."""
        for start, length, *box in _WORD.iter_unpack(self.packed):
            yield Word(start, start + length, *(edge / STEPS for edge in box))

    def moved(self, by: int) -> "PageBoxes":
        """The same words in a text in which each stands so many characters later."""
        return self.shifted(lambda _: by) if by else self

    def shifted(self, by: Callable[[int], int]) -> "PageBoxes":
        """The same words in a text in which each stands later, by where it began."""
        words = _WORD.iter_unpack(self.packed)
        packed = [_WORD.pack(start + by(start), *rest) for start, *rest in words]
        return PageBoxes(self.ratio, b"".join(packed))

    def __add__(self, other: "PageBoxes") -> "PageBoxes":
        """The words of both, which stand on one page."""
        return PageBoxes(self.ratio, self.packed + other.packed)
