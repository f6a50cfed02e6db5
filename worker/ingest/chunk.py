"""Cut a document's text into pieces that fit a token budget. Pure; nothing but space is lost."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from unicodedata import category

from worker.read.kinds import Page, Text
from worker.tokens import MAX_CHARS_PER_TOKEN, estimate

# Where to cut, best first. Each match begins at the cut; the space after it is dropped.
_BORDERS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.?!।॥])\s|(?<=[。！？])"),
    re.compile(r"\s"),
)
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[^\W_]")
# A border in the first eighth of what fits (a heading, say) would leave a needlessly small piece.
_MIN_FILL = 8
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk: `whole[char_start:char_end] == text`. `blank` says why there is nothing to ask."""

    ordinal: int
    char_start: int
    char_end: int
    page_from: int
    page_to: int
    text: str
    tokens: int
    """As `worker.tokens.estimate` counts."""
    blank: str | None = None


def chunk(text: Text, budget_tokens: int) -> list[Piece]:
    """Cut into pieces of at most `budget_tokens` (as `estimate` counts), in order, from 1.

    Cuts fall on blank lines, else line ends, sentence ends, spaces, else between characters.
    Neighbouring pages without a letter or digit become blank pieces of their own. A character
    that alone is over the budget is a piece all the same. Raises ValueError for a budget under 1.
    """
    if budget_tokens < 1:
        raise ValueError(f"a chunk needs a budget of at least 1 token, not {budget_tokens}")
    pieces = (piece for run in _runs(text) for piece in _pieces(text, run, budget_tokens))
    return [replace(piece, ordinal=ordinal) for ordinal, piece in enumerate(pieces, 1)]


def _runs(text: Text) -> Iterator[list[Page]]:
    """Neighbouring pages that have words, and neighbouring pages that have none, by turns."""
    for _, pages in groupby(text.pages, key=lambda page: _has_words(page.text)):
        yield list(pages)


def _pieces(text: Text, run: list[Page], budget: int) -> Iterator[Piece]:
    """The pieces of one run, not yet numbered; a run of empty pages has one empty piece."""
    start = text.starts[run[0].number - 1]
    end = text.starts[run[-1].number - 1] + len(run[-1].text)
    spans = list(_cut(text.whole, start, end, budget))
    spans = _merge(text.whole, spans, budget) or [(start, start)]
    reached = run[0].number - 1
    for number, span in enumerate(spans, 1):
        first, last = text.pages_of(*span)
        # Empty pages beside an ornament are that piece's, so that every page is in some piece.
        last = run[-1].number if number == len(spans) else last
        yield _piece(text.whole, span, (min(first, reached + 1), last))
        reached = last


def _piece(whole: str, span: tuple[int, int], pages: tuple[int, int]) -> Piece:
    part = whole[slice(*span)]
    blank = None if _has_words(part) else _blank(part, *pages)
    return Piece(0, *span, *pages, part, estimate(part), blank)


def _blank(part: str, first: int, last: int) -> str:
    where = f"page {first}" if first == last else f"pages {first}-{last}"
    if part:
        return f"no letters or digits on {where}"
    return f"no text on {where} (scanned or empty?)"


def _cut(whole: str, start: int, end: int, budget: int) -> Iterator[tuple[int, int]]:
    """Ranges that each begin and end with a visible character and fit the budget."""
    start = _skip_space(whole, start, end)
    while start < end:
        cut = _cut_at(whole, start, end, budget)
        yield start, start + len(whole[start:cut].rstrip())
        start = _skip_space(whole, cut, end)


def _cut_at(whole: str, start: int, end: int, budget: int) -> int:
    limit = _fits(whole, start, end, budget)
    if limit == end:
        return end
    least = start + max(1, (limit - start) // _MIN_FILL)
    # Space after the limit costs nothing: a border there is as good as one before it.
    reach = _skip_space(whole, limit, end)
    for border in _BORDERS:
        cuts = [match.start() for match in border.finditer(whole, least, reach)]
        if cuts:
            return cuts[-1]
    return _whole_character(whole, least, limit)


def _fits(whole: str, start: int, end: int, budget: int) -> int:
    """The furthest end that the budget allows, at least one character on."""
    ends = range(start + 1, min(end, start + budget * MAX_CHARS_PER_TOKEN) + 1)
    fitting = bisect_right(ends, budget, key=lambda stop: estimate(whole[start:stop]))
    return ends[max(fitting, 1) - 1]


def _whole_character(whole: str, least: int, limit: int) -> int:
    """Step back from the middle of a written character: a vowel sign stays with its letter."""
    cut = limit
    while cut > least and (whole[cut] in _JOINERS or category(whole[cut]).startswith("M")):
        cut -= 1
    return cut if cut > least else limit


def _merge(whole: str, spans: list[tuple[int, int]], budget: int) -> list[tuple[int, int]]:
    """Join neighbours that fit one budget: a border of a poorer kind can leave a short piece."""
    merged = list[tuple[int, int]]()
    for start, end in spans:
        if merged and estimate(whole[merged[-1][0] : end]) <= budget:
            start = merged.pop()[0]
        merged.append((start, end))
    return merged


def _skip_space(whole: str, start: int, end: int) -> int:
    match = _SPACE.match(whole, start, end)
    return match.end() if match else start


def _has_words(text: str) -> bool:
    return _WORD.search(text) is not None
