"""Training of the learned step: stochastic gradient descent, the same weights for the same seed.

Seconds of one core for some thousand asks, and nothing to install for it.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log, sqrt

from models.words import TaskType
from worker.classify.asks import Example
from worker.classify.features import BUCKETS, features
from worker.classify.learned import TASKS, scores, softmax

ROUNDS = 10
RATE = 4.0
DECAY = 3e-6
"""Of all weights at each step: what was seen once is not to be believed for ever."""
FOLDS = 5
TOO_SMALL = 1e-5
"""A change that is not worth walking over a row for."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An example as training sees it."""

    example: Example
    found: tuple[int, ...]
    task: int
    times: int = 1
    """How often it is seen in a round."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model says of an example that it was not trained on."""

    example: Example
    scores: list[float]


def seen(examples: Iterable[Example], times: int = 1) -> list[Seen]:
    """Examples with their features, worked out once."""
    return [
        Seen(one, features(one.ask, one.schema), TASKS.index(one.task), times) for one in examples
    ]


def fit(examples: Iterable[Seen], seed: int) -> list[list[float]]:
    """Weights for each of TASKS, by multinomial logistic regression with L2."""
    draw = random.Random(seed)  # noqa: S311  # nothing here is a secret
    weights = [[0.0] * BUCKETS for _ in TASKS]
    order = [one for one in examples for _ in range(one.times)]
    scale = 1.0  # of all weights: so decay costs one product
    for turn in range(ROUNDS):
        draw.shuffle(order)
        rate = RATE * (1 - turn / ROUNDS)
        for one in order:
            shares = softmax(scores(weights, one.found, scale))
            scale *= 1 - rate * DECAY
            step = rate / sqrt(len(one.found) or 1) / scale
            for n, row in enumerate(weights):
                change = step * (shares[n] - (n == one.task))
                if abs(change) > TOO_SMALL:
                    for bucket in one.found:
                        row[bucket] -= change
    return [[weight * scale for weight in row] for row in weights]


def cross_validated(
    examples: Sequence[Seen], seed: int, *, folds: int = FOLDS, always: Sequence[Seen] = ()
) -> Iterator[Judged]:
    """What is said of each example by a model that has seen none of its group. `always` is trained
    on whatever is left out."""
    groups = sorted({one.example.group for one in examples})
    random.Random(seed).shuffle(groups)  # noqa: S311
    fold_of = {group: n % folds for n, group in enumerate(groups)}
    for fold in range(min(folds, len(groups))):
        rest = (one for one in examples if fold_of[one.example.group] != fold)
        weights = fit([*always, *rest], seed)
        for one in examples:
            if fold_of[one.example.group] == fold:
                yield Judged(one.example, scores(weights, one.found, 1.0))


def trust(judged: Sequence[Judged]) -> float:
    """What makes probabilities of scores: the factor under which what came true was likeliest
    (temperature scaling)."""

    def surprise(scale: float) -> float:
        return -sum(log(max(shares_of(one, scale)[one.example.task], 1e-9)) for one in judged)

    return min((n / 20 for n in range(6, 41)), key=surprise)


def shares_of(one: Judged, scale: float) -> dict[TaskType, float]:
    """The probabilities that its scores come to."""
    return dict(zip(TASKS, softmax([scale * score for score in one.scores]), strict=True))
