"""Cut a document's text into pieces that fit a token budget. Pure; nothing but space is lost."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from unicodedata import category

from worker.read.kinds import Page, Text
from worker.tokens import MAX_CHARS_PER_TOKEN, Script, estimate

# Where to cut, best first. Each match begins at the cut; the space after it is dropped.
_BORDERS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.?!।॥])\s|(?<=[。！？])"),
    re.compile(r"\s"),
)
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[^\W_]")
_TABLE_HEAD = re.compile(r"^\|.*\|[ \t]*\n\|[ \t:|-]*-[ \t:|-]*\n", re.MULTILINE)
_TABLE_ROWS = re.compile(r"(?:\|.*(?:\n|\Z))+")
# A header over a fourth of a piece would cost more than it says.
_HEADER_SHARE = 4
# A border in the first eighth of what fits (a heading, say) would leave a needlessly small piece.
_MIN_FILL = 8
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk, at its place in the document's text. `blank` says why there is nothing to ask.

    The document's text is `Text.whole` with the header of a table repeated wherever the table is
    cut: offsets count in that, so that `text` is always what stands between them.
    """

    ordinal: int
    char_start: int
    char_end: int
    page_from: int
    page_to: int
    text: str
    tokens: int
    """As `worker.tokens.estimate` counts, by the rates that it was cut by."""
    blank: str | None = None
    repeated: int = 0
    """Characters of headers that were repeated before its own words."""


Rates = Mapping[Script, float]
"""What models make of a text (rates.py)."""


def chunk(text: Text, budget_tokens: int, rates: Rates | None = None) -> list[Piece]:
    """Cut into pieces of at most `budget_tokens` (as `estimate` counts by these rates), in order,
    from 1.

    Cuts fall on blank lines, else line ends, sentence ends, spaces, else between characters. A
    piece that begins within a Markdown table begins with that table's header.
    Neighbouring pages without a letter or digit become blank pieces of their own. A character
    that alone is over the budget is a piece all the same. Raises ValueError for a budget under 1.
    """
    if budget_tokens < 1:
        raise ValueError(f"a chunk needs a budget of at least 1 token, not {budget_tokens}")
    cutter = _Cutter(text.whole, budget_tokens, rates)
    pieces = list[Piece]()
    repeated = 0
    for run in _runs(text):
        for piece in _pieces(text, run, cutter):
            more = len(piece.text) - (piece.char_end - piece.char_start)
            start, repeated = piece.char_start + repeated, repeated + more
            end, number = piece.char_end + repeated, len(pieces) + 1
            pieces.append(
                replace(piece, ordinal=number, char_start=start, char_end=end, repeated=repeated)
            )
    return pieces


def _runs(text: Text) -> Iterator[list[Page]]:
    """Neighbouring pages that have words, and neighbouring pages that have none, by turns. Pages
    that OCR read, or could read, are by themselves: so the others are cut alike before and after it
    has, and answers about them stay known; and what it read does not pin their text."""
    missing = {number for gap in text.gaps for number in gap.numbers}

    def kind(page: Page) -> tuple[bool, bool]:
        has_words = _has_words(page.text)
        return has_words, has_words and (page.scanned or page.number in missing)

    for _, pages in groupby(text.pages, key=kind):
        yield list(pages)


def _pieces(text: Text, run: list[Page], cutter: "_Cutter") -> Iterator[Piece]:
    """The pieces of one run, not yet numbered; a run of empty pages has one empty piece."""
    start = text.starts[run[0].number - 1]
    end = text.starts[run[-1].number - 1] + len(run[-1].text)
    spans = cutter.spans(start, end) or [(start, start)]
    reached = run[0].number - 1
    for number, span in enumerate(spans, 1):
        first, last = text.pages_of(*span)
        # Empty pages beside an ornament are that piece's, so that every page is in some piece.
        last = run[-1].number if number == len(spans) else last
        part = cutter.text(*span)
        pages = (min(first, reached + 1), last)
        yield _piece(part, span, pages, cutter.tokens(part))
        reached = last


def _piece(part: str, span: tuple[int, int], pages: tuple[int, int], tokens: int) -> Piece:
    blank = None if _has_words(part) else _blank(part, *pages)
    return Piece(0, *span, *pages, part, tokens, blank)


def _blank(part: str, first: int, last: int) -> str:
    where = f"page {first}" if first == last else f"pages {first}-{last}"
    if part:
        return f"no letters or digits on {where}"
    return f"no text on {where} (scanned or empty?)"


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where a table begins, its rows begin and end, and what stands above them."""

    table: int
    start: int
    end: int
    header: str


class _Cutter:
    """Cuts one document's text into ranges that fit a budget."""

    def __init__(self, whole: str, budget: int, rates: Rates | None) -> None:
        self._whole, self._budget, self._rates = whole, budget, rates
        cheapest = min(rates.values()) if rates is not None else 1.0
        self._most = int(budget * MAX_CHARS_PER_TOKEN / min(cheapest, 1.0))
        """Characters: no piece has more."""
        self._tables = list(self._found_tables())
        self._begins = [rows.start for rows in self._tables]
        self._tops = [rows.table for rows in self._tables]

    def spans(self, start: int, end: int) -> list[tuple[int, int]]:
        """Ranges that each begin and end with a visible character and fit the budget."""
        return self._merge(list(self._cut(start, end)))

    def text(self, start: int, end: int) -> str:
        """What a piece says: a range, below the header of the table that it begins in."""
        return self._header(start) + self._whole[start:end]

    def _header(self, at: int) -> str:
        number = bisect_right(self._begins, at) - 1
        return self._tables[number].header if number >= 0 and at < self._tables[number].end else ""

    def _cut(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        start = _skip_space(self._whole, start, end)
        while start < end:
            cut = self._cut_at(start, end)
            yield start, start + len(self._whole[start:cut].rstrip())
            start = _skip_space(self._whole, cut, end)

    def _cut_at(self, start: int, end: int) -> int:
        limit = self._fits(start, end)
        if limit == end:
            return end
        least = start + max(1, (limit - start) // _MIN_FILL)
        # Space after the limit costs nothing: a border there is as good as one before it.
        reach = _skip_space(self._whole, limit, end)
        for border in _BORDERS:
            cuts = [match.start() for match in border.finditer(self._whole, least, reach)]
            if cuts:
                return self._above_header(start, cuts[-1])
        return self._whole_character(least, limit)

    def _above_header(self, start: int, cut: int) -> int:
        """A header stays with its rows."""
        number = bisect_right(self._tops, cut) - 1
        if number >= 0 and start < self._tables[number].table < cut <= self._tables[number].start:
            return self._tables[number].table
        return cut

    def _fits(self, start: int, end: int) -> int:
        """The furthest end that the budget allows, at least one character on."""
        ends = range(start + 1, min(end, start + self._most) + 1)
        if self.tokens(self.text(start, ends[-1])) <= self._budget:
            return ends[-1]
        fitting = bisect_right(
            ends, self._budget, key=lambda stop: self.tokens(self.text(start, stop))
        )
        return ends[max(fitting, 1) - 1]

    def tokens(self, part: str) -> int:
        """As they are counted here."""
        return estimate(part, self._rates)

    def _whole_character(self, least: int, limit: int) -> int:
        """Step back from the middle of a written character: a vowel sign stays with its letter."""
        cut = limit
        while cut > least and (
            self._whole[cut] in _JOINERS or category(self._whole[cut]).startswith("M")
        ):
            cut -= 1
        return cut if cut > least else limit

    def _found_tables(self) -> Iterator[_Rows]:
        """Markdown tables whose header leaves most of a piece to their rows."""
        for head in _TABLE_HEAD.finditer(self._whole):
            rows = _TABLE_ROWS.match(self._whole, head.end())
            if rows and self.tokens(head[0]) <= self._budget // _HEADER_SHARE:
                yield _Rows(head.start(), head.end(), rows.end(), head[0])

    def _merge(self, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Join neighbours that fit one budget: a border of a poorer kind can leave a short one."""
        merged = list[tuple[int, int]]()
        for start, end in spans:
            if merged and self.tokens(self.text(merged[-1][0], end)) <= self._budget:
                start = merged.pop()[0]
            merged.append((start, end))
        return merged


def _skip_space(whole: str, start: int, end: int) -> int:
    match = _SPACE.match(whole, start, end)
    return match.end() if match else start


def _has_words(text: str) -> bool:
    return _WORD.search(text) is not None
