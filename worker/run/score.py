"""How likely each value of an answer is right, and whether it is accepted. Pure.

The features are what the checks said: outcome, code, what kind of value it is, which field. A model
knows what they have meant before (models/scores.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import exp
from types import MappingProxyType

from models.scores import DIGITS, Scores, acceptance
from worker.run.verify.asked import Asked
from worker.run.verify.check import FieldCheck

FIELD = "field "
"""Before the feature of a field's own name, which only an installation's own model knows."""


def features(check: FieldCheck, asked: Asked | None) -> tuple[str, ...]:
    """What a value's score goes by, from the general to the particular."""
    general = ("", check.outcome, check.code)
    if asked is None:
        return general
    kind = asked.field.kind or "any"
    return (*general, f"{check.code} {kind}", FIELD + " ".join(asked.field.words))


def score(weights: Mapping[str, float], found: Iterable[str]) -> float:
    """How likely a value with these features is right, 0 to 1. A feature that was never seen says
    nothing."""
    odds = sum(weights.get(feature, 0.0) for feature in found)
    return round(1 / (1 + exp(-odds)), DIGITS)


def scored(
    checks: Mapping[str, FieldCheck],
    values: Iterable[Asked],
    scores: Scores,
    accept_error: float | None,
    by: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, FieldCheck]:
    """The checks with their confidence, where that ranks errors, and with whether each value is
    accepted at this error; None: nothing is to be accepted. `by`: who gave each value."""
    asked = {each.path: each for each in values}
    bar = None if accept_error is None else acceptance(scores, accept_error)
    found = {}
    for path, check in checks.items():
        value = score(scores.weights, features(check, asked.get(path)))
        found[path] = replace(
            check,
            by=by.get(path, check.by),
            confidence=value if scores.ranks else None,
            accepted=None if bar is None else bar.accepts(value),
        )
    return found
