"""Wrong answers made of right ones by rule, each of one kind of mistake; the same for a seed."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from worker.run.verify.dates import dates, whole_date
from worker.run.verify.fold import folded
from worker.run.verify.numbers import RUN, Number, amount, readings
from worker.run.verify.same import same

_NO_FORM = ("unit", "day and month")
"""Mistakes that are none among right answers, whose form may vary: a currency that the paper does
not say, and a date that may be read in two ways."""

INVENTED_NAMES = (
    "Brightwater Logistics Ltd",
    "Harald Lindqvist",
    "Sunrise Tools and Paints",
    "Meridian Holdings Inc.",
    "Quillfeather Press",
    "Ostrava",
    "No 77, Lorong Kenanga 5, 90210 Seri Bintang",
)
INVENTED_UNITS = ("day", "week", "month", "year")
CURRENCIES = ("USD", "EUR", "INR", "GBP")
SCALES = ("million", "thousand", "crore", "lakh")

_CAPITALS = re.compile(r"[A-Z][\w.&'-]+(?: (?:[A-Z][\w.&'-]+|of|and|&))* ?[A-Z][\w.&'-]+")
_LABELLED = re.compile(r"^[^\n:]{2,30}:[ \t]*(\S[^\n]*?)[ \t]*(?:$|  )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A value that is not the right one, and the mistake that it is."""

    mistake: str
    value: str


def wrong_answers(right: str, text: str, others: list[str], seed: str) -> Iterator[WrongAnswer]:
    """One wrong answer of each kind that can be made of a right one. `others`: the right values of
    the document's other fields."""
    draw = random.Random(seed)
    makers: dict[str, Callable[[], list[str]]] = {
        "another candidate": lambda: _candidates(right, text),
        "neighbour's value": lambda: [*others, *_LABELLED.findall(text)],
        "digits swapped": lambda: _swapped(right),
        "digit dropped": lambda: _dropped(right),
        "sign": lambda: [f"-{right}"] if _number(right) else [],
        "unit": lambda: _other_unit(right),
        "scale": lambda: _other_scale(right),
        "day and month": lambda: _turned(right),
        "half a name": lambda: _halves(right),
        "invented": lambda: _invented(right, draw),
    }
    for mistake, make in makers.items():
        found = [each for each in make() if each and each != right]
        made = found if mistake in _NO_FORM else [one for one in found if not same(one, right)]
        if made:
            yield WrongAnswer(mistake, draw.choice(made))


def _number(value: str) -> Number | None:
    return None if whole_date(folded(value)) else amount(value)


def _candidates(right: str, text: str) -> list[str]:
    """Other values of the kind that the text holds."""
    day = whole_date(folded(right))
    if day is not None:
        found = [date for date in dates(folded(text)) if not set(date.days) & set(day.days)]
        if "-" in right and right[:4].isdigit():
            return ["{:04}-{:02}-{:02}".format(*date.days[0]) for date in found if date.days[0][2]]
        return [folded(text)[date.start : date.end] for date in found]
    number = _number(right)
    if number is not None and number.unit:
        return [f"{run} {number.unit}s" for run in re.findall(r"\b\d{1,2}\b", text)]
    if number is not None:
        runs = [run for run in RUN.findall(text) if readings(run)]
        in_cents = [run for run in runs if re.search(r"[.,]\d{2}$", run)]
        return in_cents if "." in right or "," in right else runs
    lines = [line.strip() for line in text.splitlines() if re.search(r"[A-Za-z]{3}", line)]
    short = [line for line in lines if len(line) < 60]
    names = _CAPITALS.findall(text)
    kept = names if len(lines) and len(text) > 3_000 else short
    return [
        each
        for each in kept
        if folded(right) not in folded(each) and folded(each) not in folded(right)
    ]


def _digit_places(value: str) -> list[int]:
    return [at for at, char in enumerate(value) if char.isdigit()]


def _swapped(value: str) -> list[str]:
    at = _digit_places(value)
    pairs = [(a, b) for a, b in pairwise(at) if value[a] != value[b]]
    return [value[:a] + value[b] + value[a + 1 : b] + value[a] + value[b + 1 :] for a, b in pairs]


def _dropped(value: str) -> list[str]:
    places = _digit_places(value)
    return [value[:at] + value[at + 1 :] for at in places] if len(places) > 1 else []


def _other_unit(value: str) -> list[str]:
    number = _number(value)
    if number is None:
        return []
    if number.unit in INVENTED_UNITS:
        count = RUN.search(value)
        units = [each for each in INVENTED_UNITS if each != number.unit]
        return [f"{count[0]} {unit}s" for unit in units] if count else []
    bare = RUN.search(value)
    others = [sign for sign in CURRENCIES if sign != number.currency]
    return [f"{sign} {bare[0]}" for sign in others] if bare else []


def _other_scale(value: str) -> list[str]:
    number = _number(value)
    if number is None or number.unit:
        return []
    exact = number.values[-1]
    return [f"{value} {scale}" for scale in SCALES] + [str(exact * 1000), str(exact / 100)]


def _turned(value: str) -> list[str]:
    parts = re.fullmatch(r"(\d{1,4})([-/.])(\d{1,2})([-/.])(\d{1,4})", value)
    if parts is None:
        return []
    a, s, b, t, c = parts.groups()
    turned = f"{a}{s}{c}{t}{b}" if len(a) == 4 else f"{b}{s}{a}{t}{c}"
    return [] if _is_one_day(value, turned) else [turned]


def _is_one_day(one: str, other: str) -> bool:
    """Whether both may be read in one way alone, as the same day: 12/25/2024 and 25/12/2024."""
    found = [whole_date(folded(each)) for each in (one, other)]
    days = [each.days for each in found if each is not None]
    return len(days) == 2 and len(days[0]) == 1 and days[0] == days[1]


def _halves(value: str) -> list[str]:
    words = value.split()
    if _number(value) or whole_date(folded(value)) or len(words) < 2:
        return []
    half = (len(words) + 1) // 2
    cuts = {
        " ".join(words[:-1]),
        " ".join(words[1:]),
        " ".join(words[:half]),
        " ".join(words[half:]),
    }
    return sorted(each for each in cuts if len(each) > 2)


def _invented(value: str, draw: random.Random) -> list[str]:
    if whole_date(folded(value)):
        day = (draw.randint(1990, 2030), draw.randint(1, 12), draw.randint(1, 28))
        if value[:4].isdigit():
            return ["{:04}-{:02}-{:02}".format(*day)]
        return [f"{day[2]:02}/{day[1]:02}/{day[0]}"]
    number = _number(value)
    if number is not None and number.unit:
        return [f"{draw.randint(11, 59)} {number.unit}s"]
    if number is not None:
        return [f"{draw.uniform(1, 900):.2f}"]
    return list(INVENTED_NAMES)
