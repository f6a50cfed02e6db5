"""The rules, each a function, in their order: the first that has something to say decides. Pure."""

import re
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from models.reasons import FieldCode, FieldOutcome, outcome_of
from models.words import TaskType
from worker.prompts import prompt
from worker.run.verify.asked import Asked
from worker.run.verify.beside import qualifier, rest_of_address, rest_of_name
from worker.run.verify.dates import dates
from worker.run.verify.fold import folded
from worker.run.verify.hollow import hollow, is_placeholder
from worker.run.verify.labels import concepts_in, strength_of
from worker.run.verify.lexicon import (
    ACCEPTED,
    AMOUNT,
    CODE,
    CONCEPTS,
    DATE,
    DIMENSIONS,
    ISSUERS,
    NAME,
)
from worker.run.verify.numbers import Number, Run, number_at, runs, significant
from worker.run.verify.spots import Spot, Value, numbers_like, spots_of, value_of
from worker.run.verify.view import View

A_SENTENCE = 12
"""Words from which on a value is free text."""

SHORTEST_COPIED = 4
"""Characters of a value that two texts do not have in common by chance."""

_MOST_PLACES = 40
"""Places of one word of a label that are looked at."""

_REACH = 60
"""Characters from a label to its value."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has to say. `about`: words of the text that say so."""

    code: FieldCode
    about: str | None = None
    spot: Spot | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A place where a value stands as itself. `strength`: as labels.strength_of has it."""

    spot: Spot
    label: str
    strength: int


@dataclass(frozen=True, slots=True)
class Rival:
    """Another value of the kind beside the field's label."""

    said: str
    label: str
    strength: int


@dataclass(frozen=True)
class Case:
    """One value before the rules; what they look at is found once, when one asks."""

    task: TaskType
    asked: Asked
    view: View
    items: Mapping[str, Sequence["Case"]] = field(default_factory=dict)
    """The values of each object of a list, by its path."""

    @cached_property
    def value(self) -> Value:
        """The value in the forms in which it can be compared."""
        return value_of(self.asked)

    @cached_property
    def spots(self) -> list[Spot]:
        """Every place where it stands, doubtful ones last."""
        return spots_of(self.value, self.asked, self.view)

    @cached_property
    def clear(self) -> list[Spot]:
        """Those where it is whole, and itself."""
        return [spot for spot in self.spots if spot.doubt is None and self.rest(spot) is None]

    def rest(self, spot: Spot) -> str | None:
        """What more belongs to it at one of them."""
        if spot.inside:
            return _around(self.view.text, spot)
        if not self.value.is_text or self.kind == CODE:
            return None
        if self.asked.field.concept == "address":
            return rest_of_address(self.view, spot.start, spot.end)
        return rest_of_name(self.view, spot.start, spot.end, self.asked.field.label)

    @property
    def kind(self) -> str | None:
        """What kind of value was asked for, or what this one is."""
        known = self.asked.field.kind
        if known is not None:
            return known
        if self.asked.value is None or isinstance(self.asked.value, bool):
            return None
        if self.value.date is not None:
            return DATE
        return AMOUNT if self.value.number is not None else None

    @cached_property
    def accepted(self) -> frozenset[str]:
        """The concepts that its label may name."""
        concept = self.asked.field.concept
        return ACCEPTED.get(concept, frozenset({concept})) if concept else frozenset()

    def strength(self, label: str) -> int:
        """How well a label fits the field."""
        return strength_of(label, self.asked.field.label, self.accepted, self.kind)

    @cached_property
    def standings(self) -> list[Standing]:
        """The clear places with their labels, the best first."""
        found = []
        for spot in self.clear[:_MOST_PLACES]:
            label = self.view.label(spot.start)
            found.append(Standing(spot, label, self.strength(label)))
        return sorted(found, key=lambda one: -one.strength)

    @property
    def best(self) -> Standing:
        """The clear place with the best label."""
        return self.standings[0]

    @cached_property
    def rivals(self) -> list[Rival]:
        """Other values beside the field's label, the best first."""
        found = [rival for rival in _rivals(self) if rival.strength > 0]
        return sorted(found, key=lambda one: -one.strength)


Rule = Callable[[Case], Finding | None]


def judged(case: Case) -> Finding | None:
    """What the first rule that has something to say says; None: nothing can be said of it."""
    if case.asked.value is None or case.asked.value == "":
        return not_given(case)
    return next((finding for rule in RULES if (finding := rule(case)) is not None), None)


def not_given(case: Case) -> Finding | None:
    """Null, or empty: missed where something stands beside the label, right where nothing can."""
    if case.rivals and case.rivals[0].strength > 1:
        rival = case.rivals[0]
        return Finding(FieldCode.MISSED, f"{rival.label} {rival.said}")
    if case.asked.value == "" and case.asked.required:
        return Finding(FieldCode.MISSING)
    return Finding(FieldCode.ABSENT) if _has_none(case) else None


def says_nothing(case: Case) -> Finding | None:
    """Punctuation, or the form's own words."""
    code = hollow(case.asked)
    return Finding(code, str(case.asked.value)) if code is not None else None


def placeholder(case: Case) -> Finding | None:
    """A word for "not said"; unless the text says that very word there."""
    value = case.asked.value
    if not isinstance(value, str) or not is_placeholder(value):
        return None
    if case.clear and case.best.strength > 0:
        return None
    return Finding(FieldCode.PLACEHOLDER, value)


def copied(case: Case) -> Finding | None:
    """The example's value, which the text does not hold."""
    said = case.value.said
    if len(said) < SHORTEST_COPIED or said not in _examples(case.task) or case.spots:
        return None
    return Finding(FieldCode.EXAMPLE, said)


def nowhere(case: Case) -> Finding | None:
    """It does not stand in the text, and what comes nearest."""
    if case.spots:
        return None
    if case.asked.field.computed and not case.value.is_text:
        return Finding(FieldCode.COMPUTED)
    if case.value.number is not None:
        return _no_number(case, case.value.number)
    if _has_none(case):
        return Finding(FieldCode.NONE_IN_TEXT)
    return Finding(_no_text(case) if case.value.is_text else FieldCode.NOT_IN_TEXT)


def of_another_kind(case: Case) -> Finding | None:
    """A date where a name, a place or an amount was asked for."""
    if case.value.date is None or case.asked.field.concept is None:
        return None
    if case.asked.field.kind in (NAME, AMOUNT) or case.asked.field.concept in ("address", "place"):
        return Finding(FieldCode.OTHER_KIND, case.value.said, case.spots[0])
    return None


def doubtful(case: Case) -> Finding | None:
    """It stands there with another sign, size or unit, or may be read in two ways."""
    if any(spot.doubt is None for spot in case.spots):
        return None
    worst_last = sorted(case.spots, key=lambda spot: _outcome(spot.doubt) is FieldOutcome.WRONG)
    spot = worst_last[0]
    assert spot.doubt is not None
    return Finding(spot.doubt, _around(case.view.text, spot), spot)


def part(case: Case) -> Finding | None:
    """Wherever it stands, more belongs to it."""
    if case.clear:
        return None
    spot = next(spot for spot in case.spots if spot.doubt is None)
    return Finding(FieldCode.PART, case.rest(spot), spot)


def qualified(case: Case) -> Finding | None:
    """Where it stands best, a word limits or denies it."""
    spot = case.best.spot
    words = qualifier(case.view.text, spot.start, spot.end)
    return Finding(FieldCode.QUALIFIED, words, spot) if words is not None else None


def beside_another(case: Case) -> Finding | None:
    """Its label is another field's, while the field's own label has another value."""
    best = case.best
    if best.strength >= 0 or case.asked.listed or not case.rivals:
        return None
    if not case.accepted.isdisjoint(concepts_in(best.label)):
        return None  # as in "amount paid": both may be meant
    return Finding(FieldCode.OTHER_LABEL, case.best.label, case.best.spot)


def conflicting(case: Case) -> Finding | None:
    """Another value stands beside the field's label, as well as this or better."""
    if case.asked.listed or not case.rivals:
        return None
    rival = case.rivals[0]
    if rival.strength < case.best.strength:
        return None
    return Finding(FieldCode.CONFLICT, f"{rival.label} {rival.said}", case.best.spot)


def evident(case: Case) -> Finding | None:
    """What shows that it is the value that was asked for."""
    best = case.best
    if best.strength > 0:
        return Finding(FieldCode.LABELLED, best.label, best.spot)
    if best.strength < 0:
        return None
    for code, holds in EVIDENCE.items():
        if (spot := holds(case)) is not None:
            return Finding(code, None, spot)
    return None


def unlabelled(case: Case) -> Finding:
    """It stands there, and that is all."""
    return Finding(FieldCode.UNLABELLED, case.best.label or None, case.best.spot)


RULES: tuple[Rule, ...] = (
    says_nothing,
    placeholder,
    copied,
    nowhere,
    of_another_kind,
    doubtful,
    part,
    qualified,
    beside_another,
    conflicting,
    evident,
    unlabelled,
)
"""From what is wrong in itself, over what the text says, to what nothing speaks against."""


def _only_one(case: Case) -> Spot | None:
    """Whether the text has no other value of its kind."""
    spot = case.best.spot
    if case.asked.listed or not _fits(case):
        return None
    if case.value.date is not None:
        days = set(case.value.date.days)
        return spot if all(days & set(each.days) for each in dates(case.view.text)) else None
    number = case.value.number
    if number is None:
        return None
    return None if any(_others_of_its_kind(number, case.view.text)) else spot


def _fits(case: Case) -> bool:
    """Whether a number or a date is what its field asks for, as far as its name says."""
    if case.value.number is not None and case.asked.field.concept == "term":
        return True
    own = DATE if case.value.date is not None else AMOUNT
    return case.asked.field.kind in (None, own)


def _others_of_its_kind(wanted: Number, text: str) -> Iterator[Number]:
    """Other amounts of money; other lengths of time; other numbers."""
    if wanted.unit is not None:
        yield from _others_in_units(wanted, text)
        return
    own = {significant(format(each, "f")) for each in wanted.values}
    money = any(each != each.to_integral_value() for each in wanted.values) or wanted.currency
    for start, end, _ in _others(runs(text), own):
        if money and not _IN_CENTS.search(text, start, end):
            continue
        number = number_at(text, start, end)
        if number and not number.inside:
            yield number


def _others_in_units(wanted: Number, text: str) -> Iterator[Number]:
    """Other numbers with the same unit, or with one that it could be taken for."""
    units = next((each for each in DIMENSIONS if wanted.unit in each), {wanted.unit})
    for start, end, _ in runs(text):
        number = number_at(text, start, end)
        if number is None or number.inside or number.unit not in units:
            continue
        if number.unit != wanted.unit or not set(number.scaled()) & set(wanted.scaled()):
            yield number


_IN_CENTS = re.compile(r"[.,]\d{2}$")
"""Of a run: `$` is the end of what is searched."""


def _letterhead(case: Case) -> Spot | None:
    """Whether it is the first line of the paper, and was asked for as who wrote it."""
    if case.asked.field.concept not in ISSUERS or case.view.sources[0].start != 0:
        return None
    head = _WORDS_AT_ALL.search(case.view.text)
    line = case.view.text.rfind("\n", 0, head.start()) + 1 if head else 0
    return next((one.spot for one in case.standings if one.spot.start == line), None)


_WORDS_AT_ALL = re.compile(r"[^\W\d_]{3}|(?=[\u0900-\uffff])[^\W\d_]")

_POSTCODE = re.compile(r"(?<![\d.,-])\d{5,6}(?=,? [^\W\d_]{3})")


def _block(case: Case) -> Spot | None:
    """Whether it is whole lines with a number in them, and no other line looks like an address."""
    spot, text = case.best.spot, case.view.text
    if case.asked.field.concept != "address" or case.value.said.count(" ") < 2:
        return None
    whole = text[spot.start - 1 : spot.start] in ("", "\n") and text[spot.end :].lstrip(" .")[
        :1
    ] in ("", "\n")
    codes = [match.start() for match in _POSTCODE.finditer(text)] if whole else []
    return spot if codes and all(spot.start <= at < spot.end for at in codes) else None


def _in_a_row(case: Case) -> Spot | None:
    """Whether all other values of its item stand on its line, or on the next."""
    others = [each for each in case.items.get(case.asked.item, ()) if each.asked is not case.asked]
    others = [each for each in others if each.asked.value not in (None, "", True, False)]
    if not case.asked.item or not others:
        return None
    text = case.view.text
    for standing in case.standings:
        start = text.rfind("\n", 0, standing.spot.start) + 1
        end = text.find("\n", standing.spot.end)
        if all(any(start <= spot.start < end for spot in each.spots) for each in others):
            return standing.spot
    return None


EVIDENCE: Mapping[FieldCode, Callable[[Case], Spot | None]] = {
    FieldCode.ROW: _in_a_row,
    FieldCode.LETTERHEAD: _letterhead,
    FieldCode.BLOCK: _block,
    FieldCode.ONLY_ONE: _only_one,
}
"""What shows a value without a label, strongest first."""


def _outcome(code: FieldCode | None) -> FieldOutcome | None:
    return None if code is None else outcome_of(code)


def _around(text: str, spot: Spot) -> str:
    return text[max(spot.start - 20, 0) : spot.end + 20]


@cache
def _examples(task: TaskType) -> frozenset[str]:
    return frozenset(folded(each) for shot in prompt(task).shots for each in _texts(shot["answer"]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _has_none(case: Case) -> bool:
    """Whether the text has no value of the kind at all."""
    if case.kind == DATE:
        return not dates(case.view.text) and not re.search(r"\d{4}", case.view.text)
    return case.kind == AMOUNT and not any(char.isdigit() for char in case.view.text)


def _no_number(case: Case, wanted: Number) -> Finding:
    text = case.view.text
    for number in numbers_like(wanted, text):
        if not number.inside:
            return Finding(FieldCode.SCALE, text[number.start : number.end + 12])
    none = not any(char.isdigit() for char in text)
    return Finding(FieldCode.NONE_IN_TEXT if none else FieldCode.NOT_IN_TEXT)


_MIXED_UP = str.maketrans("oil|!sbzgq", "0111158299")
"""What scanners take for each other."""


def _no_text(case: Case) -> FieldCode:
    said, text = case.value.said, case.view.text
    words = said.split()
    if case.asked.field.prose or len(words) >= A_SENTENCE:
        return FieldCode.REWORDED
    if len(said) >= SHORTEST_COPIED and _read_alike(said, text):
        return FieldCode.MISREAD
    return FieldCode.NEAR if _mostly_there(words, text) else FieldCode.NOT_IN_TEXT


def _read_alike(said: str, text: str) -> bool:
    alike = said.translate(_MIXED_UP).replace("rn", "m")
    return alike in text.translate(_MIXED_UP).replace("rn", "m")


def _mostly_there(words: Sequence[str], text: str) -> bool:
    """Whether every number of a value, and most of its words, stand somewhere in the text."""
    parts = [word.strip(".,;:()'\"-") for word in words]
    parts = [word for word in parts if word]
    if any(char.isdigit() for word in parts for char in word if word not in text):
        return False
    there = sum(len(word) for word in parts if word in text)
    return len(parts) > 1 and there >= 0.6 * sum(map(len, parts))


def _rivals(case: Case) -> Iterator[Rival]:
    match case.kind:
        case "date":
            yield from _date_rivals(case)
        case "amount":
            yield from _number_rivals(case)
        case None if case.asked.value is None:
            return
        case _ if case.asked.value is not None and case.value.number and case.value.number.unit:
            for number in _others_in_units(case.value.number, case.view.text):
                yield _rival(case, number.start, case.view.text[number.start : number.end])
        case _:
            yield from _text_rivals(case)


def _rival(case: Case, start: int, said: str) -> Rival:
    label = case.view.label(start)
    return Rival(said, label, case.strength(label))


def _date_rivals(case: Case) -> Iterator[Rival]:
    own = set(case.value.date.days) if case.asked.value and case.value.date else set()
    text = case.view.text
    for date in dates(text)[:_MOST_PLACES]:
        if not own & set(date.days):
            yield _rival(case, date.start, text[date.start : date.end])


def _number_rivals(case: Case) -> Iterator[Rival]:
    """The numbers on the lines that hold a word of the label."""
    text = case.view.text
    wanted = case.value.number if case.asked.value not in (None, "") else None
    own = {significant(format(each, "f")) for each in wanted.values} if wanted else set()
    numbers = runs(text)
    for start, end in _label_lines(case):
        at = bisect_left(numbers, (start,))
        line = numbers[at : bisect_left(numbers, (end,))]
        line = tuple(run for run in line if _may_be_one(text, *run[:2]))
        in_cents = [run for run in line if _IN_CENTS.search(text, *run[:2])]
        for first, last, _ in _others(in_cents or line, own):
            yield _rival(case, first, text[first:last])


def _others(numbers: Iterable[Run], own: Container[str]) -> Iterator[Run]:
    """The runs that have other digits, and are no part of one that has these."""
    seen = 0
    for run in numbers:
        if run[2] in own:
            seen = run[1]
        elif run[0] >= seen:
            yield run


def _may_be_one(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 2]
    return before not in ("/", "-", "#", ":") and after.lstrip()[:1] not in ("%", "/", ":")


def _label_lines(case: Case) -> Iterator[tuple[int, int]]:
    """From each word of the field's label to the end of its line, or of the next one."""
    text, seen = case.view.text, -1
    terms = [term for term in _terms(case.asked.field.label, case.accepted) if term in text]
    places = sorted(at for term in terms for at in _all(term, text))
    for at in places[:_MOST_PLACES]:
        if at < seen:
            continue
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if not any(char.isdigit() for char in text[at:end]):
            below = text.find("\n", end + 1)
            end = min(len(text) if below < 0 else below, end + _REACH)
        seen = end
        yield at, min(end, at + 2 * _REACH)


@cache
def _terms(words: tuple[str, ...], accepted: frozenset[str]) -> tuple[str, ...]:
    terms = {term for term, name in CONCEPTS.terms.items() if name in accepted}
    return tuple(terms | ({" ".join(words)} if words else set()))


def _all(term: str, text: str) -> Iterator[int]:
    at = text.find(term)
    while at >= 0:
        yield at
        at = text.find(term, at + len(term))


_LABELLED_TEXT = re.compile(r"([^\n:]{2,40}):[ \t]*(\S[^\n]{0,80})")


def _text_rivals(case: Case) -> Iterator[Rival]:
    """What stands behind the field's label and a colon."""
    text = case.view.text
    own = [one.spot.start for one in case.standings] if case.asked.value not in (None, "") else []
    for start, end in _label_lines(case):
        line = text.rfind("\n", 0, start) + 1
        match = _LABELLED_TEXT.match(text, line, end)
        if match is not None and not any(line <= at < end for at in own):
            yield Rival(match[2], match[1], case.strength(match[1]))
