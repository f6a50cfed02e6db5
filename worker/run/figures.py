"""How well scores rank values that were said right or wrong, and what they accept. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from models.reasons import FieldOutcome
from models.scores import Scores, acceptance, auroc, binned
from models.shares import Z_95, Share
from worker.run.fit import Measured

STATED = (0.01, 0.02, 0.05)
"""The errors at which is said how much is accepted."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is accepted at a stated error."""

    error: float
    coverage: Share
    """Of all values."""
    wrong: Share
    """Of those that are accepted."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What scores do with some values."""

    right: Share
    auroc: float
    auroc_interval: tuple[float, float]
    sure_right: Share
    """Of what the checks call sure."""
    accepted: tuple[Accepted, ...]

    def told(self) -> Iterator[tuple[str, str]]:
        """For people: what each figure is, and its value with what holds it 95 times in a
        hundred."""
        low, high = self.auroc_interval
        yield "right", str(self.right)
        yield "AUROC of the score", f"{self.auroc:.3f} ({low:.3f} to {high:.3f})"
        yield "right of what is called sure", str(self.sure_right)
        for each in self.accepted:
            yield f"accepted at {each.error:.0%} error", str(each.coverage)
            yield f"wrong of those accepted at {each.error:.0%}", str(each.wrong)

    def at(self, error: float) -> Accepted:
        """What is accepted at one of the errors STATED."""
        return next(each for each in self.accepted if each.error == error)

    def as_row(self) -> dict[str, float]:
        """What is kept beside a model."""
        row = {"values": self.right.n, "right": self.right.value, "auroc": self.auroc}
        row["sure_right"] = self.sure_right.value
        for each in self.accepted:
            row[f"accepted_at_{each.error:g}"] = each.coverage.value
            row[f"wrong_at_{each.error:g}"] = each.wrong.value
        return row


def figures(found: Sequence[Measured]) -> Figures:
    """Of values that were scored by models which had not seen them."""
    bins = binned((each.score, each.ruled.right) for each in found)
    sure = [each for each in found if FieldOutcome.SURE in each.ruled.features]
    area = auroc(bins)
    right = _right(found)
    return Figures(
        right,
        area,
        auroc_interval(area, right.hits, right.n - right.hits),
        _right(sure),
        tuple(_accepted(found, error) for error in STATED),
    )


def _right(found: Sequence[Measured]) -> Share:
    return Share(sum(each.ruled.right for each in found), len(found))


def _accepted(found: Sequence[Measured], error: float) -> Accepted:
    taken = [each for each in found if _is_accepted(each.scores, each.score, error)]
    wrong = sum(not each.ruled.right for each in taken)
    return Accepted(error, Share(len(taken), len(found)), Share(wrong, len(taken)))


def _is_accepted(scores: Scores, score: float, error: float) -> bool:
    return acceptance(scores, error).accepts(score)


def auroc_interval(area: float, right: int, wrong: int) -> tuple[float, float]:
    """The 95 % interval of an area under the ROC curve (Hanley and McNeil, Radiology 143, 1982)."""
    if not right or not wrong:
        return 0.0, 1.0
    both_right, both_wrong = area / (2 - area), 2 * area * area / (1 + area)
    spread = (
        area * (1 - area)
        + (right - 1) * (both_right - area * area)
        + (wrong - 1) * (both_wrong - area * area)
    ) / (right * wrong)
    half = Z_95 * sqrt(max(spread, 0.0))
    return max(area - half, 0.0), min(area + half, 1.0)
