"""What a value means as a number or a date, by how its text writes them. Pure.

A text that writes 99,50 somewhere has 1.500 for a thousand and a half. Where it does not say, there
is more than one convention under which it may be read.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import Any

from models.checks import Format
from worker.run.verify.dates import Date, Order, dates, settled
from worker.run.verify.fold import folded
from worker.run.verify.numbers import Number, json_number
from worker.run.verify.spots import number_or_date
from worker.run.verify.view import decimal_sign

_CENTS = -2
"""The last place of most amounts: JSON numbers have no zeros at their end."""


@dataclass(frozen=True, slots=True)
class Convention:
    """How a text writes numbers and dates."""

    decimal: str
    order: Order
    decimal_is_said: bool
    """The text shows it; else it is one of two that are possible."""
    order_is_said: bool


@lru_cache(maxsize=16)
def conventions(text: str) -> tuple[Convention, ...]:
    """Those under which a folded text may be read."""
    decimal, order = decimal_sign(text), settled(dates(text))
    decimals = (".", ",") if decimal is None else (decimal,)
    orders = (Order.DAY_FIRST, Order.MONTH_FIRST) if order is None else (order,)
    said = (decimal is not None, order is not None)
    return tuple(Convention(*each, *said) for each in product(decimals, orders))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number. `is_written`: with its last place as a text writes it; `is_worked_out`: of others,
    so that it may differ from what is written by what rounding takes."""

    number: Decimal
    is_written: bool = False
    is_worked_out: bool = False
    currency: str | None = None

    @property
    def place(self) -> int:
        """The power of ten of its last place."""
        exponent = self.number.as_tuple().exponent
        return exponent if isinstance(exponent, int) else 0


def difference(one: Quantity, other: Quantity) -> int:
    """Which is greater: 1, the first; -1, the second; 0, neither, but for what rounding takes: half
    a unit in the last place of the one that is written down."""
    gap = one.number - other.number
    if abs(gap) <= _rounding(one, other):
        return 0
    return 1 if gap > 0 else -1


def _rounding(one: Quantity, other: Quantity) -> Decimal:
    if not (one.is_worked_out or other.is_worked_out):
        return Decimal(0)
    if one.is_worked_out and other.is_worked_out:
        place = max(one.place, other.place)
    else:
        stated, found = (other, one) if one.is_worked_out else (one, other)
        least = stated.place if stated.is_written else max(found.place, _CENTS)
        place = min(stated.place, least)
    return Decimal(5).scaleb(place - 1)


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of a value's words. `run`: the digits of the number."""

    number: Number | None = None
    run: str = ""
    date: Date | None = None


@lru_cache(maxsize=8192)
def forms(words: str) -> Forms:
    """What a value's words may be: a number, or else a date."""
    found = number_or_date(words)
    if isinstance(found, Number):
        return Forms(found, folded(words).strip()[found.start : found.end])
    return Forms(date=found)


@dataclass(slots=True)
class Reader:
    """Reads values under one convention. `doubted`: a reading was not the only one."""

    convention: Convention
    doubted: bool = False

    def number(self, raw: Any, format: Format | None = None) -> Quantity | None:
        """A value as a number; None: it is none."""
        if isinstance(raw, (int, float)) and not isinstance(raw, bool):
            return Quantity(json_number(raw))
        found = forms(raw) if isinstance(raw, str) else Forms()
        if found.number is None:
            return None
        number = self._value(found.number, found.run, format)
        sign = 1 if found.number.negative is False else -1  # in brackets: as books do
        return Quantity(sign * number, is_written=True, currency=found.number.currency)

    def _value(self, number: Number, run: str, format: Format | None) -> Decimal:
        grouped, *fraction = number.scaled()
        if not fraction:
            return grouped
        if not self.convention.decimal_is_said:
            if number.currency is not None or format is Format.CURRENCY:
                return grouped  # money has two decimals, or none
            self.doubted = True
        return fraction[0] if self.convention.decimal in run else grouped

    def day(self, raw: Any) -> date | None:
        """A value as a date; None: it is none, or not a whole one."""
        found = forms(raw).date if isinstance(raw, str) else None
        if found is None:
            return None
        year, month, day = self._day(found)
        try:
            return date(year, month, day)
        except ValueError:
            return None

    def _day(self, found: Date) -> tuple[int, int, int]:
        first, *second = found.days
        if not second:
            return first
        self.doubted = self.doubted or not self.convention.order_is_said
        return first if self.convention.order is Order.DAY_FIRST else second[0]

    def normalised(self, raw: Any, format: Format) -> str | None:
        """A value in its format: a date as ISO 8601 writes it, a number in digits with a point,
        an amount with its currency, where it is said, before it; None: it cannot be read so."""
        if format is Format.DATE:
            day = self.day(raw)
            return day.isoformat() if day is not None else None
        number = self.number(raw, format)
        if number is None:
            return None
        digits = f"{number.number:f}"
        is_money = format is Format.CURRENCY and number.currency is not None
        return f"{number.currency} {digits}" if is_money else digits
