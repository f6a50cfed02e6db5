"""The rules, each a function, in their order: the first that has something to say decides. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from models.reasons import FieldCode, FieldOutcome, outcome_of
from worker.prompts import usual
from worker.run.verify.absent import is_absent, why_absent
from worker.run.verify.beside import qualifier
from worker.run.verify.case import Case
from worker.run.verify.copied import SHORTEST, is_an_examples
from worker.run.verify.evidence import EVIDENCE
from worker.run.verify.hollow import hollow, is_placeholder
from worker.run.verify.labels import concepts_in
from worker.run.verify.lexicon import AMOUNT, NAME
from worker.run.verify.spots import Spot
from worker.run.verify.steering import steering

_CLEARLY = 2
"""The strength of a label from which on what stands beside it should have been given."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has to say. `about`: words of the text that say so."""

    code: FieldCode
    about: str | None = None
    spot: Spot | None = None


Rule = Callable[[Case], Finding | None]


def judged(case: Case) -> Finding | None:
    """What the first rule that has something to say says; None: nothing can be said of it."""
    if case.given:
        found = next((said for rule in RULES if (said := rule(case)) is not None), None)
    else:
        found = not_given(case)
    if found is None or outcome_of(found.code) is FieldOutcome.WRONG:
        return found
    words = steering(case.view, case.asked.form.names)
    return found if words is None else Finding(FieldCode.STEERED, words, found.spot)


def not_given(case: Case) -> Finding | None:
    """Null, or empty: missed where something stands beside the label, right where nothing can."""
    if case.rivals and case.rivals[0].strength >= _CLEARLY:
        rival = case.rivals[0]
        return Finding(FieldCode.MISSED, f"{rival.label} {rival.said}")
    if case.asked.value is not None and case.asked.required:
        return Finding(FieldCode.MISSING)
    return Finding(FieldCode.ABSENT) if is_absent(case) else None


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
    if len(said) < SHORTEST or case.spots:
        return None
    shown = (case.shown, usual(case.task).said)
    if any(is_an_examples(said, examples) for examples in shown):
        return Finding(FieldCode.EXAMPLE, said)
    return None


def nowhere(case: Case) -> Finding | None:
    """It does not stand in the text."""
    return None if case.spots else Finding(*why_absent(case))


def of_another_kind(case: Case) -> Finding | None:
    """A date where a name, a place or an amount was asked for."""
    if case.value.date is None:
        return None
    field = case.asked.field
    if field.kind in (NAME, AMOUNT) or field.concept in ("address", "place"):
        return Finding(FieldCode.OTHER_KIND, case.value.said, case.spots[0])
    return None


def doubtful(case: Case) -> Finding | None:
    """It stands there with another sign or unit, or may be read in two ways; the least of it
    counts."""
    doubts = [(spot.doubt, spot) for spot in case.spots if spot.doubt is not None]
    if len(doubts) < len(case.spots):
        return None
    code, spot = min(doubts, key=lambda each: outcome_of(each[0]) is FieldOutcome.WRONG)
    return Finding(code, case.around(spot), spot)


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
    return Finding(FieldCode.OTHER_LABEL, best.label, best.spot)


def conflicting(case: Case) -> Finding | None:
    """Another value stands beside the field's label, as well as this or better."""
    if case.asked.listed or not case.rivals or case.rivals[0].strength < case.best.strength:
        return None
    rival = case.rivals[0]
    return Finding(FieldCode.CONFLICT, f"{rival.label} {rival.said}", case.best.spot)


def evident(case: Case) -> Finding | None:
    """What shows that it is the value that was asked for."""
    best = case.best
    if best.strength > 0:
        return Finding(FieldCode.LABELLED, best.label, best.spot)
    if best.strength < 0:
        return None
    found = ((code, holds(case)) for code, holds in EVIDENCE.items())
    return next((Finding(code, None, spot) for code, spot in found if spot is not None), None)


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
