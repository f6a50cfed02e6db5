"""Other values of a text: those beside a field's label, and those of a value's kind. Pure."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from worker.run.verify.asked import Field
from worker.run.verify.dates import dates
from worker.run.verify.fold import stands_alone
from worker.run.verify.labels import strength_of
from worker.run.verify.lexicon import ACCEPTED, AMOUNT, CONCEPTS, DATE, DIMENSIONS
from worker.run.verify.numbers import Number, Run, number_at, runs
from worker.run.verify.spots import Value
from worker.run.verify.view import View

_MOST_PLACES = 40
"""Places of the words of a label that are looked at."""

_REACH = 60
"""Characters from a label to a value on the line below."""


@dataclass(frozen=True, slots=True)
class Rival:
    """Another value beside a field's label. `strength`: as labels.strength_of has it."""

    said: str
    label: str
    strength: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a field asks for. `value` None: nothing was given; `own`: where it stands."""

    value: Value | None
    kind: str | None
    label: tuple[str, ...]
    accepted: frozenset[str]
    own: Sequence[tuple[int, int]]


def rivals_of(wanted: Wanted, view: View) -> Iterator[Rival]:
    """Values of the kind that are another one, with their labels."""
    number = wanted.value.number if wanted.value else None
    if wanted.kind == DATE:
        yield from _dates(wanted, view)
    elif wanted.kind == AMOUNT:
        yield from _numbers(wanted, view)
    elif number is not None and number.unit is not None:
        for other in others_in_units(number, view.text):
            yield _rival(wanted, view, other.start, other.end)
    elif wanted.kind is not None or wanted.value is not None:
        yield from _texts(wanted, view)


def _rival(wanted: Wanted, view: View, start: int, end: int) -> Rival:
    label = view.label(start)
    strength = strength_of(label, wanted.label, wanted.accepted, wanted.kind)
    return Rival(view.text[start:end], label, strength)


def _dates(wanted: Wanted, view: View) -> Iterator[Rival]:
    date = wanted.value.date if wanted.value else None
    own = set(date.days) if date else set()
    for other in dates(view.text)[:_MOST_PLACES]:
        if not own & set(other.days):
            yield _rival(wanted, view, other.start, other.end)


def _numbers(wanted: Wanted, view: View) -> Iterator[Rival]:
    """The numbers on the lines that hold a word of the label; where some are amounts of money,
    those."""
    number = wanted.value.number if wanted.value else None
    text, every = view.text, runs(view.text)
    for start, end in _label_lines(wanted, text):
        line = every[bisect_left(every, (start,)) : bisect_left(every, (end,))]
        line = tuple(run for run in line if _may_be_one(text, *run[:2]))
        money = tuple(run for run in line if _is_money(text, *run[:2]))
        for first, last, _ in _others(money or line, number, text):
            if not any(begin <= first < stop for begin, stop in wanted.own):
                yield _rival(wanted, view, first, last)


_IN_CENTS = re.compile(r"[.,]\d{2}$")
"""Of a run: `$` is the end of what is searched."""


def _may_be_one(text: str, start: int, end: int) -> bool:
    """Not a share, and no part of a date, a time or a code."""
    before, after = text[start - 1 : start], text[end : end + 2]
    return before not in ("/", "-", "#", ":") and after.lstrip()[:1] not in ("%", "/", ":")


def _is_money(text: str, start: int, end: int) -> bool:
    """Whether a run has cents, or a currency."""
    if _IN_CENTS.search(text, start, end):
        return True
    number = number_at(text, start, end)
    return number is not None and number.currency is not None


def _others(every: Iterable[Run], own: Number | None, text: str) -> Iterator[Run]:
    """The runs that are another number, and no part of one that is this."""
    seen = 0
    for run in every:
        if own is not None and _is_same(run, own, text):
            seen = run[1]
        elif run[0] >= seen:
            yield run


def _is_same(run: Run, own: Number, text: str) -> bool:
    """Whether a run may mean a number. Its digits alone leave out zeros: those of 100 are those of
    1000, too. A code of the same digits is no other number."""
    if run[2] != own.digits:
        return False
    number = number_at(text, *run[:2])
    return number is None or not set(number.scaled()).isdisjoint(own.scaled())


def others_of_its_kind(wanted: Number, text: str) -> Iterator[Number]:
    """Other numbers with its unit; other amounts of money, where it is one; else other numbers."""
    if wanted.unit is not None:
        yield from others_in_units(wanted, text)
        return
    money = any(each != each.to_integral_value() for each in wanted.values) or wanted.currency
    for start, end, _ in _others(runs(text), wanted, text):
        if not money or _is_money(text, start, end):
            number = number_at(text, start, end)
            if number and not number.inside:
                yield number


def others_in_units(wanted: Number, text: str) -> Iterator[Number]:
    """Other numbers with the same unit, or with one that it could be taken for."""
    units = next((each for each in DIMENSIONS if wanted.unit in each), {wanted.unit})
    for start, end, _ in runs(text):
        number = number_at(text, start, end)
        if number is None or number.inside or number.unit not in units:
            continue
        if number.unit != wanted.unit or not set(number.scaled()) & set(wanted.scaled()):
            yield number


_LABELLED_TEXT = re.compile(r"([^\n:：]{2,40})[:：][ \t]*(\S[^\n]{0,80})")


def _texts(wanted: Wanted, view: View) -> Iterator[Rival]:
    """What stands behind the field's label and a colon."""
    text = view.text
    for start, end in _label_lines(wanted, text):
        line = text.rfind("\n", 0, start) + 1
        match = _LABELLED_TEXT.match(text, line, end)
        if match is not None and not any(line <= at < end for at, _ in wanted.own):
            strength = strength_of(match[1] + ":", wanted.label, wanted.accepted, wanted.kind)
            yield Rival(match[2], match[1] + ":", strength)


def _label_lines(wanted: Wanted, text: str) -> Iterator[tuple[int, int]]:
    """From each word of the field's label to the end of its line, or of the next one where its own
    has no number."""
    terms = _terms_in(_terms(wanted.label, wanted.accepted), text)
    places = sorted(at for term in terms for at in _all(term, text))
    seen = -1
    for at in places[:_MOST_PLACES]:
        if at >= seen:
            seen = _line_end(text, at)
            yield at, min(seen, at + 2 * _REACH)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    if any(char.isdigit() for char in text[at:end]):
        return end
    below = text.find("\n", end + 1)
    return min(len(text) if below < 0 else below, end + _REACH)


def label_at(field: Field, line: str) -> int | None:
    """Where a folded line first has a word of a field's label."""
    return min((start for start, _ in _labels(field, line)), default=None)


_SOMETHING = re.compile(r"\W*\w")


def has_label(field: Field, text: str) -> bool:
    """Whether a word of a field's label stands in a folded text with something behind it."""
    return any(_SOMETHING.match(text, end) for _, end in _labels(field, text))


def _labels(field: Field, text: str) -> Iterator[tuple[int, int]]:
    concept = field.concept
    accepted = ACCEPTED.get(concept, frozenset({concept})) if concept else frozenset[str]()
    for term in _terms(field.label, accepted):
        yield from ((at, at + len(term)) for at in _all(term, text))


@lru_cache(maxsize=4096)
def _terms(words: tuple[str, ...], accepted: frozenset[str]) -> tuple[str, ...]:
    terms = {term for term, name in CONCEPTS.terms.items() if name in accepted}
    return tuple(terms | ({" ".join(words)} if words else set()))


def _terms_in(terms: Sequence[str], text: str) -> list[str]:
    """Those that a text may hold. A text in ASCII has none of the terms of other scripts, and most
    terms are of those."""
    if text.isascii():
        return [term for term in terms if term.isascii() and term in text]
    return [term for term in terms if term in text]


def _all(term: str, text: str) -> Iterator[int]:
    at = text.find(term)
    while at >= 0:
        if stands_alone(text, at, at + len(term)):
            yield at
        at = text.find(term, at + len(term))
