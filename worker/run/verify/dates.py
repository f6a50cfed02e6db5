"""Dates as texts write them: every order, months in words, years of other calendars.

All of it looks at folded text (fold.py). Pure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from worker.run.verify.fold import SHORT
from worker.run.verify.lexicon import ERAS, MONTHS
from worker.run.verify.numbers import runs

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
_SHORT_YEAR = re.compile(
    rf"(?<![\d.,/-])(\d{{1,2}})[-/. ]{_WORD}[-/. ][ ']?(\d{{2}})(?![\d/:]|[.,]\d)"
)
_FULL_YEAR = re.compile(r"(?<![\d.,])\d{4}(?![\d/]|[.,]\d)")
_DAY_AND_MONTH = re.compile(
    r"(?<![\d.,/-])(\d{1,2})(?: ?(?:st|nd|rd|th|er|re)\b|[.º])?"
    r"[\s,./'-]{0,3}(?:day\s+of\s+|of\s+|de\s+)?" + _WORD + r"\.?[\s,./'-]{0,3}(?:de\s+|of\s+)?$"
)
_MONTH_AND_DAY = re.compile(
    _WORD + r"(?:\.?[\s-]{1,2}(\d{1,2})(?: ?(?:st|nd|rd|th)\b)?)?[\s,./'-]{1,4}$"
)
"""What stands before a year. Looked for from the year on backwards: a text has few."""

_MONTH_CHARS = 40

_AFTER_FIRST = frozenset("-/. 年")
"""What follows the first number of a date."""

_YEAR_DIGITS, _POINTS = 4, 2
"""Digits of a year; points of a date in numbers that is one run, as 3.4.2024."""

_LAST_DAY = 31


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


def dates(text: str) -> tuple[Date, ...]:
    """Every date of a folded text, in order; of those that overlap the longest."""
    return _dates_of_text(text) if len(text) > SHORT else _dates_of_value(text)


def _dates(text: str) -> tuple[Date, ...]:
    found = sorted(_found(text), key=lambda date: (date.start, -date.end))
    kept: list[Date] = []
    for date in found:
        if not kept or date.start >= kept[-1].end:
            kept.append(date)
    return tuple(kept)


_dates_of_text = lru_cache(maxsize=16)(_dates)
_dates_of_value = lru_cache(maxsize=1024)(_dates)
"""Kept apart: the values of a wide form would push out the text that they are looked for in."""


def _found(text: str) -> Iterator[Date]:
    """Every date begins or ends with a run of digits, and a text has few of them."""
    for start, end, _ in runs(text):
        run = text[start:end]
        if not run.isdigit():
            if run.count(".") == _POINTS:
                yield from _from(text, start)
            continue
        if len(run) == _YEAR_DIGITS and (year := _FULL_YEAR.match(text, start)):
            yield from _before_year(text, year)
        if len(run) <= _YEAR_DIGITS and text[end : end + 1] in _AFTER_FIRST:
            yield from _from(text, start)


def _from(text: str, start: int) -> Iterator[Date]:
    """The date that begins with a run of digits, or with the name of an era before it."""
    first = start - 2 if text[max(start - 2, 0) : start] in ERAS else start
    if match := _YEAR_FIRST.match(text, first):
        year = int(match[3]) if match[3] else ERAS[match[1]] + int(match[2])
        yield from _said(match, year, int(match[4]), int(match[5]))
    elif match := _NUMERIC.match(text, start):
        yield from _in_numbers(match)
    elif match := _SHORT_YEAR.match(text, start):
        yield from _said(match, _year(match[3]), MONTHS.get(match[2], 0), int(match[1]))


def _before_year(text: str, year: re.Match[str]) -> Iterator[Date]:
    start = year.start()
    if text[max(start - 1, 0) : start] in ("/", "-") and text[max(start - 2, 0)].isdigit():
        return  # of a date in numbers
    from_ = max(start - _MONTH_CHARS, 0)
    before = text[from_:start]
    if (match := _DAY_AND_MONTH.search(before)) and match[2] in MONTHS:
        month, day = MONTHS[match[2]], int(match[1])
    elif (match := _MONTH_AND_DAY.search(before)) and match[1] in MONTHS:
        month, day = MONTHS[match[1]], int(match[2] or 0)
    else:
        return
    if day <= _LAST_DAY:
        yield Date(from_ + match.start(), year.end(), ((_year(year[0]), month, day),))


def _said(match: re.Match[str], year: int, month: int, day: int) -> Iterator[Date]:
    if _is_day(month, day):
        yield Date(*match.span(), ((year, month, day),))


def _in_numbers(match: re.Match[str]) -> Iterator[Date]:
    first, second, year = int(match[1]), int(match[3]), _year(match[4])
    days = [(year, second, first)] if _is_day(second, first) else []
    by_points = bool(days) and match[2] == "."  # which no country that puts the month first writes
    if _is_day(first, second) and first != second and not by_points:
        days.append((year, first, second))
    if days:
        order = Order.OPEN
        if len(days) == 1:
            order = Order.MONTH_FIRST if second > 12 else Order.DAY_FIRST
            order = Order.SAID if first == second else order
        yield Date(*match.span(), tuple(days), order, numeric=True)


def _is_day(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= _LAST_DAY


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


CACHES = (_dates_of_text, _dates_of_value)
"""What is kept of a text."""
