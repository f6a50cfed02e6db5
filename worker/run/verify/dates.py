"""Dates as texts write them: every order, months in words, years of other calendars.

All of it looks at folded text (fold.py). Pure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from worker.run.verify.lexicon import ERAS, MONTHS

Day = tuple[int, int, int]
"""Year, month, day; a day of 0 is not said."""

_BUDDHIST, _LAST_YEAR = 543, 2300
"""Thailand counts 543 years more: a year beyond the second number is one of its."""

_PIVOT = 70
"""Two digits below it are years of this century (POSIX strptime has 69)."""

_ERA = "|".join(ERAS)

_YEAR_FIRST = re.compile(
    rf"(?<![\d.,/-])(?:({_ERA}) ?(\d{{1,2}})|(\d{{4}}))"
    r"(?: ?[-/.] ?| ?年 ?)(\d{1,2})(?: ?[-/.] ?| ?月 ?)(\d{1,2})(?![\d/])"
)
_NUMERIC = re.compile(
    r"(?<![\d.,/-])(\d{1,2}) ?([-/.]) ?(\d{1,2}) ?\2 ?(\d{4}|\d{2})(?![\d/]|[.,-]\d)"
)
_WORD = r"([^\W\d_][^\s\d.,;:()/'-]{1,11})"
_DAY_FIRST = re.compile(
    r"(?<![\d.,/-])(\d{1,2})(?: ?(?:st|nd|rd|th|er|re)\b|[.º])?"
    r"[\s,./'-]{0,3}(?:day\s+of\s+|of\s+|de\s+)?"
    + _WORD
    + r"\.?[\s,./'-]{0,3}(?:de\s+|of\s+)?(\d{4}|\d{2})(?!\d|[.,]\d)"
)
_FULL_YEAR = re.compile(r"(?<![\d.,])\d{4}(?![\d/]|[.,]\d)")
_BEFORE_YEAR = re.compile(
    _WORD + r"(?:\.?[\s-]{1,2}(\d{1,2})(?: ?(?:st|nd|rd|th)\b)?)?[\s,./'-]{1,4}$"
)
"""A month and maybe a day. Looked for from a year on backwards, of which a text has few."""

_MONTH_CHARS = 32


class Order(StrEnum):
    """What the order of a date's parts leaves open."""

    SAID = "said"  # nothing: a month in words, or the year first
    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"
    OPEN = "open"  # both are days of the year


@dataclass(frozen=True, slots=True)
class Date:
    """A date where it stands in folded text, and the days that it may mean."""

    start: int
    end: int
    days: tuple[Day, ...]
    order: Order = Order.SAID
    numeric: bool = False
    """Day, month and year as numbers, the year last."""


@lru_cache(maxsize=256)
def dates(text: str) -> tuple[Date, ...]:
    """Every date of a folded text, in order; of those that overlap the longest."""
    found = sorted(_found(text), key=lambda date: (date.start, -date.end))
    kept: list[Date] = []
    for date in found:
        if not kept or date.start >= kept[-1].end:
            kept.append(date)
    return tuple(kept)


def _found(text: str) -> Iterator[Date]:
    for match in _YEAR_FIRST.finditer(text):
        year = int(match[3]) if match[3] else ERAS[match[1]] + int(match[2])
        yield from _said(match, year, int(match[4]), int(match[5]))
    for match in _NUMERIC.finditer(text):
        yield from _in_numbers(match)
    for match in _DAY_FIRST.finditer(text):
        yield from _said(match, _year(match[3]), MONTHS.get(match[2], 0), int(match[1]))
    for match in _FULL_YEAR.finditer(text):
        yield from _before_year(text, match)


def _before_year(text: str, year: re.Match[str]) -> Iterator[Date]:
    from_ = max(year.start() - _MONTH_CHARS, 0)
    before = text[from_ : year.start()]
    match = _BEFORE_YEAR.search(before)
    month = MONTHS.get(match[1], 0) if match else 0
    if match is not None and month:
        day = (_year(year[0]), month, int(match[2] or 0))
        if day[2] <= 31:
            yield Date(from_ + match.start(), year.end(), (day,))


def _said(match: re.Match[str], year: int, month: int, day: int) -> Iterator[Date]:
    if _is_day(month, day):
        yield Date(*match.span(), ((year, month, day),))


def _in_numbers(match: re.Match[str]) -> Iterator[Date]:
    first, second, year = int(match[1]), int(match[3]), _year(match[4])
    days = [(year, second, first)] if _is_day(second, first) else []
    if _is_day(first, second) and first != second:
        days.append((year, first, second))
    if days:
        order = Order.OPEN
        if len(days) == 1:
            order = Order.MONTH_FIRST if second > 12 else Order.DAY_FIRST
            order = Order.SAID if first == second else order
        yield Date(*match.span(), tuple(days), order, numeric=True)


def _is_day(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < _PIVOT else 1900)
    return year - _BUDDHIST if year > _LAST_YEAR else year


def settled(found: tuple[Date, ...]) -> Order | None:
    """The order in which a text writes its dates, where one of them says it."""
    orders = {date.order for date in found if date.order in (Order.DAY_FIRST, Order.MONTH_FIRST)}
    return orders.pop() if len(orders) == 1 else None


_AROUND = re.compile(r"[\s,;()]*(?:[^\W\d]+\.?,?\s*)?|[\s,;t]*(?:at\s+)?\d{1,2}:\d{2}.*|[\s.,;()]*")


def whole_date(value: str) -> Date | None:
    """The date that a folded value is, with at most a weekday before and a time behind."""
    found = dates(value)
    if len(found) != 1:
        return None
    around = value[: found[0].start], value[found[0].end :]
    return found[0] if all(_AROUND.fullmatch(part) for part in around) else None
