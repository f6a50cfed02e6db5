"""Where a value stands: as itself, or with what is between the two. Pure."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, islice

from models.reasons import FieldCode
from worker.run.verify.asked import Asked
from worker.run.verify.dates import Date, Order, dates, settled, whole_date
from worker.run.verify.fold import folded, stands_alone
from worker.run.verify.lexicon import CODE, CURRENCIES, DIMENSIONS, SCALES
from worker.run.verify.numbers import (
    Number,
    amount,
    json_number,
    number_at,
    runs,
    runs_like,
    significant,
)
from worker.run.verify.places import places
from worker.run.verify.view import View, decimal_sign

_A_CODE = 10
"""Digits without a separator from which on a text is a code rather than an amount."""

_LONGEST = 48
"""Characters of a number or a date with all that stands around it."""

_LEAST_LOOSE = 6
"""Letters and digits of a value whose spaces and points may differ."""

_MOST_LOOSE = 200
"""Places that are looked at where spaces and points differ."""

_NOT_WORDS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place where a value stands. `doubt`: what is between it and being the value."""

    start: int
    end: int
    doubt: FieldCode | None = None
    inside: bool = False
    """It stands in the middle of something else, a number in a code say."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of an answer in the forms in which it can be compared."""

    said: str
    """Folded; of a JSON number its digits."""
    number: Number | None = None
    date: Date | None = None

    @property
    def is_text(self) -> bool:
        """Neither a number nor a date."""
        return self.number is None and self.date is None


def value_of(asked: Asked) -> Value:
    """What a value is. A row of digits that its field calls a number of something is a code."""
    raw = asked.value
    if not isinstance(raw, str):
        exact = json_number(raw)
        said = format(exact.copy_abs(), "f")
        number = Number(0, len(said), (exact.copy_abs(),), significant(said), negative=exact < 0)
        return Value(said, number)
    said = folded(raw).strip()
    if asked.field.kind == CODE or (said.isdigit() and len(said) >= _A_CODE):
        return Value(said)
    found = number_or_date(raw)
    return Value(said, date=found) if isinstance(found, Date) else Value(said, found)


def number_or_date(words: str) -> Number | Date | None:
    """What a value's words are: a number, or else a date; None: neither."""
    said = folded(words).strip()
    if len(said) > _LONGEST or not any(char.isdigit() for char in said):
        return None
    found = amount(words)
    return found if found is not None else whole_date(said)


def spots_of(value: Value, asked: Asked, view: View) -> list[Spot]:
    """Every place where a value stands, those without a doubt first. What was found is kept: the
    rows of a table say the same over and over."""
    known, in_scale = _known(view.text), any(word in SCALES for word in asked.field.words)
    found = known.get((value, in_scale))
    if found is None:
        found = known[value, in_scale] = _spots(value, in_scale, view)
    return found


@lru_cache(maxsize=16)
def _known(text: str) -> dict[tuple[Value, bool], list[Spot]]:
    """The spots that were found in a text. `bool`: the field's name has a scale word."""
    return {}


def _spots(value: Value, in_scale: bool, view: View) -> list[Spot]:
    if value.date is not None:
        found = list(_date_spots(value, value.date, view.text))
    elif value.number is not None:
        found = list(_number_spots(value.number, in_scale, view.text))
    else:
        found = [Spot(*run) for run in places(value.said, view.text)]
        found = found or list(_currency_spots(value.said, view.text))
        found = found or list(_loose_spots(value.said, view.text))
    return sorted(found, key=lambda spot: spot.doubt is not None)


def _number_spots(wanted: Number, in_scale: bool, text: str) -> Iterator[Spot]:
    targets = set(wanted.scaled())
    raw = set(wanted.values)
    for number in numbers_like(wanted, text):
        same = _same_number(number, targets, raw if in_scale else set(), text)
        if same:
            doubt = _doubt(wanted, number, same)
            yield Spot(number.start, number.end, doubt, number.inside)


def numbers_like(wanted: Number, text: str) -> Iterator[Number]:
    """The numbers of a text with the same digits, whatever their size and sign."""
    for start, end, _ in runs_like(wanted.digits, text):
        if (number := number_at(text, start, end)) is not None:
            yield number


_SAME, _MAYBE = "same", "maybe"


def _same_number(number: Number, targets: set[Decimal], raw: set[Decimal], text: str) -> str | None:
    """Whether it is one of the targets: `maybe` where its separator may mean two things."""
    values = set(number.scaled())
    if number.unit == "%":
        values |= {value.scaleb(-2) for value in number.values}
    if not values & targets and not set(number.values) & raw:
        return None
    if len(number.values) == 1:
        return _SAME
    run = text[number.start : number.end]
    grouped, fraction = number.scaled()
    sign = decimal_sign(text)
    if sign is None:
        likely = grouped if "," in run else fraction
        return _SAME if likely in targets or len(targets) > 1 else _MAYBE
    meant = fraction if sign in run else grouped
    return _SAME if meant in targets else None


def _doubt(wanted: Number, number: Number, same: str) -> FieldCode | None:
    if None not in (wanted.negative, number.negative) and wanted.negative != number.negative:
        return FieldCode.SIGN
    if _other(wanted.currency, number.currency) or _other_unit(wanted.unit, number.unit):
        return FieldCode.UNIT
    unsaid = wanted.currency and not number.currency
    if unsaid or (wanted.unit and wanted.unit != number.unit):
        return FieldCode.UNIT_UNSAID
    return FieldCode.AMBIGUOUS if same == _MAYBE else None


def _other(wanted: str | None, said: str | None) -> bool:
    return wanted is not None and said is not None and wanted != said


def _other_unit(wanted: str | None, said: str | None) -> bool:
    if wanted is None or said is None or wanted == said:
        return False
    return "%" in (wanted, said) or any(wanted in each and said in each for each in DIMENSIONS)


def _date_spots(value: Value, wanted: Date, text: str) -> Iterator[Spot]:
    order = settled(dates(text))
    for date in _dates_like(wanted, text):
        doubt = _date_doubt(value.said, wanted, date, text, order)
        yield Spot(date.start, date.end, doubt)
    if not dates(text):
        yield from (Spot(*run) for run in places(value.said, text))


def _dates_like(wanted: Date, text: str) -> list[Date]:
    """The dates of a text that may be the same day, and those that `_almost` are, in their order.
    They are looked up: a table has one in every row."""
    known = _by_day(text)
    keys = {key for year, month, day in wanted.days for key in _looked_up(year, month, day)}
    found = {date for key in keys for date in known.get(key, ())}
    return sorted(found, key=lambda date: date.start)


def _looked_up(year: int, month: int, day: int) -> Iterator[tuple[int, ...]]:
    """The day, the same with day and month turned, and its month alone."""
    yield from ((year, month, day), (year, day, month), (year, month, 0))
    if day == 0:
        yield year, month


@lru_cache(maxsize=16)
def _by_day(text: str) -> dict[tuple[int, ...], list[Date]]:
    """The dates of a text by each day that they may be, and by its month."""
    found: dict[tuple[int, ...], list[Date]] = {}
    for date in dates(text):
        for key in {key for day in date.days for key in (day, day[:2])}:
            found.setdefault(key, []).append(date)
    return found


def _date_doubt(
    said: str, wanted: Date, date: Date, text: str, order: Order | None
) -> FieldCode | None:
    """What is between a date of the text and the one that is looked for; None: nothing."""
    if said[wanted.start : wanted.end] == text[date.start : date.end]:
        return None
    if not set(wanted.days) & set(date.days):
        return _almost(wanted, date)
    if len(date.days) == 1 and len(wanted.days) == 1:
        return None
    if wanted.numeric and date.numeric:
        return None if _written_alike(said, wanted, text, date) else FieldCode.DAY_MONTH
    meant = _meant(wanted, order) & _meant(date, order)
    if not meant:
        return FieldCode.DAY_MONTH
    clear = len(_meant(wanted, order)) == 1 and len(_meant(date, order)) == 1
    return None if clear else FieldCode.AMBIGUOUS


def _almost(wanted: Date, date: Date) -> FieldCode | None:
    """The month alone, or day and month the other way round; None: another date."""
    if any(
        day[:2] == other[:2] and 0 in (day[2], other[2])
        for day in wanted.days
        for other in date.days
    ):
        return FieldCode.AMBIGUOUS
    turned = {(year, day, month) for year, month, day in wanted.days}
    return FieldCode.DAY_MONTH if turned & set(date.days) else None


def _written_alike(said: str, wanted: Date, text: str, date: Date) -> bool:
    """Whether day, month and year stand in one order in both."""
    numbers = [
        [int(part) % 100 for part in re.findall(r"\d+", each)]
        for each in (said[wanted.start : wanted.end], text[date.start : date.end])
    ]
    return numbers[0] == numbers[1]


def _meant(date: Date, order: Order | None) -> set[tuple[int, int, int]]:
    """The days that a date may mean where the text says in which order it writes them."""
    if date.order is not Order.OPEN or order is None:
        return set(date.days)
    return {date.days[0 if order is Order.DAY_FIRST else 1]}


def _currency_spots(said: str, text: str) -> Iterator[Spot]:
    """The amounts in a currency that was given by another of its names, INR for a sign say."""
    code = CURRENCIES.get(said)
    for start, end, _ in runs(text) if code else ():
        number = number_at(text, start, end)
        if number is not None and number.currency == code:
            yield Spot(start, end)


@lru_cache(maxsize=16)
def _squeezed(text: str) -> str:
    return _NOT_WORDS.sub("", text)


@lru_cache(maxsize=16)
def _words(text: str) -> tuple[list[int], list[int]]:
    """Where each word of a text begins, and how many letters and digits stand before it."""
    found = [match.span() for match in _WORD.finditer(text)]
    before = accumulate((end - start for start, end in found), initial=0)
    return [start for start, _ in found], list(before)[:-1]


def _place_of(text: str, nth: int) -> int:
    """Where the letter or digit of this number, from 0, stands in a text."""
    starts, before = _words(text)
    word = bisect_right(before, nth) - 1
    return starts[word] + nth - before[word]


def _loose_spots(said: str, text: str) -> Iterator[Spot]:
    """Where all letters and digits stand in order, and only spaces and points differ."""
    wanted = _NOT_WORDS.sub("", said)
    if len(wanted) < _LEAST_LOOSE:
        return
    for start in islice(_finds(wanted, _squeezed(text)), _MOST_LOOSE):
        first, end = _place_of(text, start), _place_of(text, start + len(wanted) - 1) + 1
        if stands_alone(text, first, end):
            yield Spot(first, end)


def _finds(wanted: str, whole: str) -> Iterator[int]:
    start = whole.find(wanted)
    while start >= 0:
        yield start
        start = whole.find(wanted, start + 1)
