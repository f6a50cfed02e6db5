"""A document's text as the rules look at it: folded, lines and pages known. Pure."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from worker.run.ground import Source
from worker.run.verify.fold import Folded, fold
from worker.run.verify.labels import label_before

_BETWEEN = "\n\n"
"""Between pieces: no value goes from one to the next."""


@dataclass(frozen=True, slots=True)
class View:
    """All pieces of a text as one. Places are characters of the folded text."""

    sources: tuple[Source, ...]
    whole: str
    """The text as it was."""
    folded: Folded
    labels: dict[int, str] = field(default_factory=dict, compare=False)
    """The labels that have been looked for, by the place that they stand before."""

    @property
    def text(self) -> str:
        """The folded text."""
        return self.folded.text

    def label(self, start: int) -> str:
        """The label before a place of the folded text."""
        if start not in self.labels:
            self.labels[start] = label_before(self.text, start)
        return self.labels[start]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """A run as characters of `whole`."""
        return self.folded.span(start, end)

    def place(self, start: int, end: int) -> tuple[list[int], int | None]:
        """Where a run stands in its document, and on which page, where its piece has but one."""
        first, last = self.original(start, end)
        at = 0
        for source in self.sources:
            if first < at + len(source.text):
                shift = source.start - at
                page, page_to = source.pages
                return [first + shift, last + shift], page if page == page_to else None
            at += len(source.text) + len(_BETWEEN)
        return [first, last], None


@lru_cache(maxsize=16)
def view_of(sources: tuple[Source, ...]) -> View:
    """The view of some pieces of one document."""
    whole = _BETWEEN.join(source.text for source in sources)
    return View(sources, whole, fold(whole))


_COMMA = re.compile(r"\d,\d{1,2}(?!\d|,)")
_POINT = re.compile(r"\d\.\d{1,2}(?![\d.])")


@lru_cache(maxsize=16)
def decimal_sign(text: str) -> str | None:
    """The decimal separator that a text writes where it cannot be the other one; None: it does not
    say, or says both."""
    comma, point = _COMMA.search(text) is not None, _POINT.search(text) is not None
    if comma == point:
        return None
    return "," if comma else "."
