"""Scores of values: how likely one is right, and from which score on it is taken without a look.

Pure. What a score is worth stands in the values that people (or public data) have said right or
wrong, of documents that no weight was fitted on. worker/run/score.py gives the scores.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from math import ceil, log, log1p
from typing import Any

from models.errors import DocmillError

REVISION = 2
"""To be raised whenever a value comes to other features: weights of before are void then."""

FEWEST_BINS, LEAST_AUROC = 3, 0.6
"""With fewer different scores, or less of a rank, a score says nothing about a value."""

DIGITS = 3
"""Of a score, after the point: what is kept is what is compared."""


LUCK = 0.1
"""How likely a run of right values may be where as many are wrong as is stated."""


@dataclass(frozen=True, slots=True)
class Bin:
    """How many values of one score were right, and how many wrong."""

    score: float
    right: int
    wrong: int


@dataclass(frozen=True, eq=False)  # two of them are never compared weight by weight
class Scores:
    """A model of how likely values are right: logistic regression over features of their checks."""

    version: str
    weights: Mapping[str, float]
    """Log odds by feature."""
    bins: tuple[Bin, ...]
    """Of the calibration: values that the weights have not seen, the highest score first."""
    about: Mapping[str, Any]
    """What it was made of, and under which licence, for people."""

    @cached_property
    def ranks(self) -> bool:
        """Whether a higher score means anything: only then a confidence is shown."""
        return len(self.bins) >= FEWEST_BINS and auroc(self.bins) >= LEAST_AUROC

    def as_json(self) -> dict[str, Any]:
        """What `opened` reads."""
        return {"revision": REVISION, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Which values are taken without a look, that at most `error` of them be wrong (0 to 1)."""

    error: float
    least: float | None
    """The lowest score that is accepted; None: no score is high enough."""
    review_share: float
    """Of the values, 0 to 1: how many are to be expected for review."""
    scores: str
    """Version of the scores."""

    def accepts(self, score: float) -> bool:
        """Whether a value of this score is taken without a look."""
        return self.least is not None and score >= self.least

    def sentence(self) -> str:
        """What it comes to, for people."""
        if self.least is None:
            return (
                f"no value is sure enough for an error of {self.error:.1%}: all are for review; "
                f"{fewest(self.error)} values that were said right support it at the least "
                f"(scores {self.scores})"
            )
        return (
            f"at most {self.error:.1%} of the accepted values wrong; about {self.review_share:.0%} "
            f"of the values for review (scores {self.scores})"
        )


def made(weights: Mapping[str, float], bins: Sequence[Bin], about: Mapping[str, Any]) -> Scores:
    """A model with the version that follows from it."""
    said = json.dumps([weights, [asdict(each) for each in bins], about], sort_keys=True)
    return Scores(hashlib.sha256(said.encode()).hexdigest()[:8], weights, tuple(bins), about)


def opened(stored: Mapping[str, Any]) -> Scores:
    """A model from its JSON. Raises DocmillError where this version cannot read it."""
    try:
        fits = stored["revision"] == REVISION
        bins = tuple(Bin(**each) for each in stored["bins"])
        found = Scores(stored["version"], stored["weights"], bins, stored["about"])
    except (KeyError, TypeError) as exc:
        raise DocmillError("not a model of scores") from exc
    if not fits:
        raise DocmillError("these scores were made for another version; `docmill scores train`")
    return found


@cache
def shipped() -> Scores:
    """The model that comes with the product."""
    return opened(json.loads(resources.files(__package__).joinpath("scores.json").read_bytes()))


def binned(found: Iterable[tuple[float, bool]]) -> tuple[Bin, ...]:
    """The bins of scores, each with whether its value was right; the highest first."""
    counted: dict[float, list[int]] = {}
    for score, right in found:
        counted.setdefault(score, [0, 0])[not right] += 1
    return tuple(Bin(score, *counted[score]) for score in sorted(counted, reverse=True))


def auroc(bins: Sequence[Bin]) -> float:
    """How often a right value has a higher score than a wrong one, ties counted half; 0.5 where
    there are no such pairs."""
    above, lower_wrong = 0.0, sum(each.wrong for each in bins)
    pairs = sum(each.right for each in bins) * lower_wrong
    for each in bins:
        lower_wrong -= each.wrong
        above += each.right * (lower_wrong + each.wrong / 2)
    return above / pairs if pairs else 0.5


@lru_cache(maxsize=64)
def acceptance(scores: Scores, error: float) -> Acceptance:
    """What is accepted by these scores at a stated error."""
    least = threshold(scores.bins, error)
    total = sum(each.right + each.wrong for each in scores.bins)
    taken = sum(e.right + e.wrong for e in scores.bins if least is not None and e.score >= least)
    review = round(1 - taken / total, DIGITS) if total else 1.0
    return Acceptance(error, least, review, scores.version)


def threshold(bins: Sequence[Bin], error: float) -> float | None:
    """The lowest score from which on values are accepted, by split-conformal risk control; None:
    there is none.

    Angelopoulos, Bates, Fisch, Lei and Schuster, "Conformal Risk Control" (ICLR 2024,
    arXiv:2208.02814): with a loss of at most B, the mean loss R of n calibration values is taken
    for (n R + B) / (n + 1), as if the next value were the worst possible one. Here the loss is 1
    for a wrong value, B is 1, and n counts the values that a threshold accepts, so that the error
    is stated of those: of all values the share that is wrong and accepted is smaller still.

    That loss does not fall with the threshold, as their theorem 1 wants. What holds instead: where
    a share r of what a threshold accepts is wrong, the mean of (n + 1) / (n R + 1) over
    calibrations is at most 1 / r, so that by Markov's inequality the threshold is taken with a
    probability of at most error / r; the choice of the lowest one is a stopping time, which changes
    nothing where scores say nothing (Barber and Candes, "Controlling the false discovery rate via
    knockoffs", Annals of Statistics 43, 2015, lemma 4). So on average over calibrations the
    accepted values are wrong at most `error` of the time, where a calibration that accepts none
    counts 0, for values like those of the calibration. One calibration may do worse, and where
    scores do rank errors the mean has come out a tenth above the stated error.

    Of small calibrations most accept none, and those that do by luck: so a threshold has to accept
    `fewest` values before it is looked at, which is settled without a look at which are right.
    """
    least, wrong, taken = None, 0, 0
    for each in bins:
        wrong, taken = wrong + each.wrong, taken + each.right + each.wrong
        if taken >= fewest(error) and wrong + 1 <= error * (taken + 1):
            least = each.score
    return least


def fewest(error: float) -> int:
    """How many accepted values can support an error: so many that all are right with a probability
    of LUCK at most where `error` of all such are wrong."""
    return ceil(log(LUCK) / log1p(-error))
