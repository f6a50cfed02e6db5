"""Whether two values say the same: in a form that numbers, dates, case and spacing do not change,
as the checks of fields read them. Pure."""

import re
from decimal import Decimal
from typing import Any

from worker.run.verify.dates import Day, whole_date
from worker.run.verify.fold import folded
from worker.run.verify.numbers import Number, amount, json_number

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[,'](?=\d{3}(?!\d))|(?<=\d)([\W_]+)(?=\d)|[\W_]+")
"""What is no letter: a separator of thousands, what else stands between two digits, the rest."""


def same(one: Any, other: Any) -> bool:
    """Whether two values of answers say the same. Lists do where each item has its counterpart,
    in any order; a key that an object leaves out is null."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(same(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and _are_counterparts(one, other)
    if any(value is None or isinstance(value, (bool, dict, list)) for value in (one, other)):
        return one is other
    return _say_the_same(one, other)


def _are_counterparts(some: list[Any], others: list[Any]) -> bool:
    left = list(others)
    for item in some:
        found = next((n for n, other in enumerate(left) if same(item, other)), None)
        if found is None:
            return False
        del left[found]
    return True


def _say_the_same(one: str | float, other: str | float) -> bool:
    texts = [value if isinstance(value, str) else str(json_number(value)) for value in (one, other)]
    days, numbers = [_days(text) for text in texts], [_number(text) for text in texts]
    if days[0] and days[1]:
        return bool(days[0] & days[1])
    if numbers[0] and numbers[1] and not (days[0] or days[1]):
        return _are_equal(numbers[0], numbers[1])
    words = [_BETWEEN_DIGITS.sub(_kept, folded(text)) for text in texts]
    return words[0] == words[1] if any(words) else texts[0].strip() == texts[1].strip()


def _kept(found: re.Match[str]) -> str:
    """Between two digits all but spaces: INV-1.2 is not INV-12, and 10:30 not 1030."""
    return "".join((found[1] or "").split())


def _days(text: str) -> set[Day]:
    """The days that a value may mean, if it is a date; none: it is none."""
    found = whole_date(folded(text).strip())
    return set(found.days) if found else set()


def _number(text: str) -> Number | None:
    found = amount(text)
    return found if found and found.values else None


def _are_equal(one: Number, other: Number) -> bool:
    """A currency or a unit that one of them leaves out is no difference."""
    units = {number.unit for number in (one, other)} - {None}
    currencies = {number.currency for number in (one, other)} - {None}
    return len(units) < 2 and len(currencies) < 2 and bool(_signed(one) & _signed(other))


def _signed(number: Number) -> set[Decimal]:
    """What it may mean, with its sign; brackets may be one."""
    values = set(number.scaled())
    negated = {-value for value in values}
    return values | negated if number.negative is None else negated if number.negative else values
