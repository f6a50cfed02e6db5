"""A question with labels to choose from, and the text that it is asked of."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Label:
    """A label of one question: its word, and what it says of a text."""

    word: str
    says: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a text is sorted by."""

    name: str
    """What the labels are kinds of, as an ask may call it."""
    key: str
    """The field of the answer."""
    labels: Sequence[Label]
    """Each of them once; the right one is the first."""
    text: str
    asks: Sequence[str] = ()
    """Ways to ask it that name no label, beside those that fit any text."""
