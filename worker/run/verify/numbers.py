"""Numbers as texts write them, in every locale: separators, signs, currencies, units, scale words.

All of it looks at folded text (fold.py). Pure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from worker.run.verify.fold import NARROW, SHORT, folded
from worker.run.verify.lexicon import CURRENCIES, SCALES, UNITS

RUN = re.compile(rf"\d+(?:[.,'{NARROW}]\d+| \d{{3}}(?!\d))*")
"""Digits with single separators between them. A space joins groups of three only, and maybe."""

_SEPARATORS = re.compile(rf"[.,'{NARROW} ]")

_LONGEST = 40
"""Characters of a number that somebody may have meant as one."""

_NO_SEPARATORS = str.maketrans("", "", f".,'{NARROW} ")

_SIGN = re.compile(
    r"(?:^|[\s(\[|]|(?<=[^\w\s:;/.,-]))([-+])(?:(?:[^\w\s-]{1,2}|[a-z]{2,3}\.?)\s?)?$"
)
"""A sign before a number, with or without its currency between. A dash with space on both sides, or
behind a word, is a dash."""

_AFTER_WORD = r"([^\s\d.,;:()\[\]{}/|-]+)"
_TAIL = re.compile(rf"[\s]*\)?[\s/-]*{_AFTER_WORD}\.?(?:[\s-]+{_AFTER_WORD})?")
"""The one or two words behind a number."""

_HEAD = re.compile(rf"([^\s\d,;:()\[\]{{}}/|+-]{{1,5}})[ {NARROW}]*[-+]?[ {NARROW}]*$")
"""The word before a number."""


def readings(run: str) -> tuple[Decimal, ...]:
    """The numbers that a run of digits and separators may mean; none where it is no number.

    A separator that stands once before three digits may be either kind, as in 1.234; what the
    text around it settles is not looked at here. Leading zeros make a code, no number.
    """
    if len(run) > _LONGEST:
        return (Decimal(run),) if run.isdigit() and run[0] != "0" else ()
    return _readings(run)


_MEASURES = frozenset(CURRENCIES) | frozenset(UNITS)
_AROUND = _MEASURES | frozenset(SCALES) | {"only"}
"""Words that stand around numbers."""


@lru_cache(maxsize=1024)
def _readings(run: str) -> tuple[Decimal, ...]:
    if run[0] == "0" and run[1:2].isdigit():
        return ()
    signs = _SEPARATORS.findall(run)
    if not signs:
        return (Decimal(run),)
    parts = _SEPARATORS.split(run)
    return tuple(_as_groups(signs, parts)) + tuple(_as_fraction(signs, parts))


def _as_groups(signs: list[str], parts: list[str]) -> Iterator[Decimal]:
    """All separators are those of thousands."""
    if len(set(signs)) == 1 and _grouped(parts):
        yield Decimal("".join(parts))


def _as_fraction(signs: list[str], parts: list[str]) -> Iterator[Decimal]:
    """The last separator is the decimal one, and all before it are of one other kind."""
    *before, last = signs
    if last in ".," and last not in before and len(set(before)) <= 1:
        if before and not _grouped(parts[:-1]):
            return
        yield Decimal(f"{''.join(parts[:-1])}.{parts[-1]}")


def _grouped(parts: list[str]) -> bool:
    """Groups of three, of two with three at the end (India), or of four (China, Japan)."""
    head, *middle, tail = map(len, parts)
    if parts[0].startswith("0"):
        return False
    western = head <= 3 and tail == 3 and all(size == 3 for size in middle)
    indian = head <= 2 and tail == 3 and all(size == 2 for size in middle)
    eastern = head <= 4 and tail == 4 and all(size == 4 for size in middle)
    return western or indian or eastern


def significant(run: str) -> str:
    """The digits that every form of a number has in common, whatever its scale."""
    return (run if run.isdigit() else run.translate(_NO_SEPARATORS)).strip("0")


Run = tuple[int, int, str]
"""Where digits begin and end in a text, and which of them are significant."""


def runs(text: str) -> tuple[Run, ...]:
    """Every run of digits of a folded text. Where a space holds one together it may be several
    numbers: the whole comes first, then its parts."""
    return _runs_of_text(text) if len(text) > SHORT else _runs(text)


def _runs(text: str) -> tuple[Run, ...]:
    found: list[Run] = []
    for match in RUN.finditer(text):
        run, (start, end) = match[0], match.span()
        found.append((start, end, significant(run)))
        if " " in run:
            parts = _PART.finditer(run)
            found += [(start + p.start(), start + p.end(), significant(p[0])) for p in parts]
    return tuple(found)


_runs_of_text = lru_cache(maxsize=16)(_runs)
"""Values are not kept: those of a wide form would push out the text that they are looked for in."""


@lru_cache(maxsize=16)
def _by_digits(text: str) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs(text):
        found.setdefault(run[2], []).append(run)
    return found


def runs_like(digits: str, text: str) -> Sequence[Run]:
    """The runs of a folded text that hold these significant digits."""
    return _by_digits(text).get(digits, ())


_PART = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Number:
    """A number where it stands in folded text."""

    start: int
    end: int
    values: tuple[Decimal, ...]
    """What it may mean, its sign and scale word apart."""
    digits: str
    """Those that are significant, in every form of it."""
    negative: bool | None = False
    """None: it stands in brackets, which some books do with what is negative."""
    scale: int = 0
    """The power of ten of its scale word."""
    currency: str | None = None
    unit: str | None = None
    """A unit's one name, `%` for a share."""
    inside: bool = False
    """It is a part of something else: a date, a code, a telephone number."""

    def scaled(self) -> tuple[Decimal, ...]:
        """What it may mean, with its scale word."""
        if self.scale == 0:
            return self.values
        return tuple(value.scaleb(self.scale) for value in self.values)


def number_at(text: str, start: int, end: int) -> Number | None:
    """The number of a run of a whole text; None: it is none. Each is read once: a table is asked
    for the same ones in every row."""
    known, run = _known(text), (start, end)
    if run not in known:
        known[run] = _read(text, start, end)
    return known[run]


@lru_cache(maxsize=16)
def _known(text: str) -> "dict[tuple[int, int], Number | None]":
    """The numbers of a text that have been read."""
    return {}


def _read(text: str, start: int, end: int) -> Number | None:
    values = readings(text[start:end])
    return _number(text, start, end, values) if values else None


def _number(text: str, start: int, end: int, values: tuple[Decimal, ...]) -> Number:
    before, after = text[max(start - 12, 0) : start], text[end : end + 28]
    head, tail = _HEAD.search(before), _TAIL.match(after)
    words = [word.rstrip(".") for word in tail.groups() if word] if tail else []
    scale = SCALES.get(words[0], 0) if words else 0
    rest = words[1:] if scale else words
    if words and not scale:
        scale, rest = _glued_scale(words[0], rest)
    currency = CURRENCIES.get(head[1].strip(".")) if head else None
    currency = currency or next((CURRENCIES[word] for word in rest[:1] if word in CURRENCIES), None)
    unit = next((UNITS[word] for word in rest[:1] if word in UNITS), None)
    return Number(
        start,
        end,
        values,
        significant(text[start:end]),
        negative=_negative(before, after, text[start:end]),
        scale=scale,
        currency=currency,
        unit="%" if after.lstrip(f" {NARROW}")[:1] in ("%", "\u066a") else unit,
        inside=_inside(text, start, end),
    )


def _glued_scale(word: str, rest: list[str]) -> tuple[int, list[str]]:
    """Scripts without spaces put the unit behind the scale word, as in 3.5 with one for money."""
    for size in (2, 1):
        if not word.isascii() and (scale := SCALES.get(word[:size])):
            return scale, [word[size:]]
        if not word.isascii() and word[:size] in _MEASURES:
            return 0, [word[:size]]
    return 0, rest


def _negative(before: str, after: str, run: str) -> bool | None:
    if before.rstrip().endswith("(") and after.lstrip().startswith(")"):
        return None if len(run) > 2 else False  # as in two (2) years
    sign = _SIGN.search(before)
    if sign is not None:
        return sign[1] == "-"
    return re.match(r"-(?![\w/-])", after) is not None


def _inside(text: str, start: int, end: int) -> bool:
    """Whether letters or digits hang on it, as in 13/03/2018, CS00035863 or 07-2614733."""
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    if before[-1:] in ("/", "-", ":", ".") and before[:1].isdigit():
        return True
    if after[:1] in ("/", "-", ":", ".") and after[1:].isdigit():
        return True
    if before[-1:].isascii() and before[-1:].isalpha():
        return _HEAD.search(text[max(start - 6, 0) : start]) is None or not _is_money(text, start)
    return before[-1:] == "#"


def _is_money(text: str, start: int) -> bool:
    head = _HEAD.search(text[max(start - 12, 0) : start])
    return head is not None and head[1].strip(".") in CURRENCIES


@lru_cache(maxsize=16)
def currencies_in(text: str) -> frozenset[str]:
    """The currencies of a folded text's amounts."""
    found = (number_at(text, start, end) for start, end, _ in runs(text))
    return frozenset(number.currency for number in found if number and number.currency)


_AMOUNT = re.compile(
    r"(?P<sign>[-+(]?)\s*(?P<head>[^\W\d]{1,4}\.?|[^\w\s]{1,2})?\s*-?"
    rf"(?P<run>{RUN.pattern})(?P<tail>[^\d\n]{{0,24}})"
)


@lru_cache(maxsize=8192)
def amount(value: str) -> Number | None:
    """A value that is a number with at most its sign, currency, scale word and unit."""
    text = folded(value).strip()
    match = _AMOUNT.fullmatch(text)
    if match is None or not _known_words(match["head"], match["tail"]):
        return None
    return _read(text, *match.span("run"))


def _known_words(head: str | None, tail: str) -> bool:
    """Whether all that stands around a number is what numbers have around them."""
    if head and head.strip(".") not in CURRENCIES and head not in "-+(":
        return False
    words = re.findall(r"[^\W\d_][^\s\d.,;:()/-]*|[^\w\s.,;:()/-]", tail)
    return all(word in _AROUND or _glued_scale(word, [])[0] for word in words)


def json_number(value: float) -> Decimal:
    """A JSON number as a decimal: what was written, not what floating point makes of it."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


CACHES = (_runs_of_text, _by_digits, _known)
"""What is kept of a text."""
