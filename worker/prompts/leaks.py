"""Examples that would give away the answer about a text: those that show that text. Pure."""

import re
from functools import lru_cache

from models.examples import Example, said

_PIECE = 24
"""Characters of a piece: so many in a row are the same text, not the same words."""

_PIECES = 40
"""Of a text, evenly spread over it."""

ALL = 0.95
"""The share of pieces from which on two texts are one, but for a letter or two."""

MUCH = 0.5
"""The share from which on an example shows much of a text. Documents of one template have as much
in common, so its answer has to be the text's, too."""

_LETTERS = re.compile(r"[^\W_]+")


class Asked:
    """A text that is asked about, as examples are compared with it."""

    def __init__(self, text: str) -> None:
        self._text = folded(text)
        self._pieces = _pieces(self._text)

    def is_given_away_by(self, example: Example) -> bool:
        """Whether the example shows this text, or much of it with an answer that is this text's,
        too."""
        shared = self._shared(folded(example.text))
        return shared >= ALL or (shared >= MUCH and self._has_answer(example))

    def _shared(self, other: str) -> float:
        """How much of the shorter text stands in the longer one, 0 to 1. A few words stand in many
        texts: they are the same where there is nothing else."""
        if min(len(other), len(self._text)) < _PIECE:
            return float(bool(other) and other == self._text)
        if len(other) < len(self._text):
            return _share(_pieces(other), self._text)
        return _share(self._pieces, other)

    def _has_answer(self, example: Example) -> bool:
        """Whether what the example's answer takes from its text stands in this one, all of it."""
        text = folded(example.text)
        told = [value for one in said(example.answer) if (value := folded(str(one)))]
        taken = [value for value in told if value in text]
        return bool(taken) and all(value in self._text for value in taken)


@lru_cache(maxsize=1024)
def folded(text: str) -> str:
    """Its letters and digits alone, in lower case and with one space between words."""
    return " ".join(_LETTERS.findall(text.casefold()))


def _pieces(text: str) -> list[str]:
    last = len(text) - _PIECE
    if last < 0:
        return []
    count = min(_PIECES, 1 + last)
    starts = (last * number // max(count - 1, 1) for number in range(count))
    return [text[start : start + _PIECE] for start in starts]


def _share(pieces: list[str], text: str) -> float:
    return sum(piece in text for piece in pieces) / len(pieces)
