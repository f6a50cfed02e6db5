"""Fitting of scores to values that were said right or wrong. Pure, the same for the same values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from math import exp

from models.scores import Bin, Scores, binned, made
from worker.run.score import score

ROUNDS = 30
RIDGE = 1.0
"""What pulls a weight back to where it was: so much as a value that it is seen in."""

FOLDS = 5
CALIBRATED = 2
"""Folds that the threshold comes from; one is measured, and the weights are fitted on the rest."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """A value that was said right or wrong."""

    document: str
    features: tuple[str, ...]
    right: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A value with the score that it got from a model which has seen nothing of its document."""

    ruled: Ruled
    score: float
    scores: Scores


def fit(values: Sequence[Ruled], prior: Mapping[str, float]) -> dict[str, float]:
    """Log odds by feature: logistic regression, pulled towards `prior` (0 where it says nothing).

    Newton's step for one weight after the other; what is rarely seen stays near the prior.
    """
    seen: dict[str, list[int]] = {}
    for number, value in enumerate(values):
        for feature in value.features:
            seen.setdefault(feature, []).append(number)
    weights = dict(prior) | {feature: prior.get(feature, 0.0) for feature in seen}
    odds = [sum(map(weights.__getitem__, value.features)) for value in values]
    for _ in range(ROUNDS):
        for feature, where in seen.items():
            likely = [1 / (1 + exp(-odds[n])) for n in where]
            surplus = sum(values[n].right - p for n, p in zip(where, likely, strict=True))
            pull = RIDGE * (weights[feature] - prior.get(feature, 0.0))
            step = (surplus - pull) / (RIDGE + sum(p * (1 - p) for p in likely))
            weights[feature] += step
            for n in where:
                odds[n] += step
    return {feature: round(weight, 4) for feature, weight in weights.items()}


def calibrated(weights: Mapping[str, float], values: Iterable[Ruled]) -> tuple[Bin, ...]:
    """What the scores of values are worth that the weights were not fitted on."""
    return binned((score(weights, each.features), each.right) for each in values)


def measured(
    values: Sequence[Ruled], prior: Mapping[str, float], taught: Sequence[Ruled] | None = None
) -> Iterator[Measured]:
    """Every value, scored by a model that was fitted on some other documents and calibrated on
    others again. `taught`: the values of those, where they are not the same."""
    folds = _folds(values if taught is None else taught)
    for n, own in enumerate(_folds(values)):
        others = [folds[(n + step) % FOLDS] for step in range(1, FOLDS)]
        weights = fit(list(chain.from_iterable(others[CALIBRATED:])), prior)
        bins = calibrated(weights, chain.from_iterable(others[:CALIBRATED]))
        scores = made(weights, bins, {})
        yield from (Measured(each, score(weights, each.features), scores) for each in own)


def _folds(values: Iterable[Ruled]) -> list[list[Ruled]]:
    """The values by their documents, the same for the same document."""
    folds: list[list[Ruled]] = [[] for _ in range(FOLDS)]
    for value in values:
        folds[sha256(value.document.encode()).digest()[0] % FOLDS].append(value)
    return folds
