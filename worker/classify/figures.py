"""How right and how sure the cascade is on asks whose task is known. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.shares import Share
from models.words import TaskType

BINS = 10


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict on an ask whose task is known."""

    task: TaskType
    confidence: float
    truth: TaskType

    @property
    def right(self) -> bool:
        """Whether it is that task."""
        return self.task == self.truth


@dataclass(frozen=True, slots=True)
class Figures:
    """What the cascade does with some asks."""

    right: Share
    sure: Share
    """Those that need no language model."""
    sure_right: Share
    calibration_error: float
    """Mean distance between what was said and what came true (expected calibration error)."""


def figures(said: Sequence[Said], sure: float) -> Figures:
    """Of these verdicts; a `sure` one needs no further step."""
    taken = [one for one in said if one.confidence >= sure]
    return Figures(
        _right(said), Share(len(taken), len(said)), _right(taken), calibration_error(said)
    )


def _right(said: Sequence[Said]) -> Share:
    return Share(sum(one.right for one in said), len(said))


def calibration_error(said: Iterable[Said]) -> float:
    """Over bins of equal width: how far the share that is right is off the mean confidence."""
    bins: dict[int, list[Said]] = {}
    for one in said:
        bins.setdefault(min(BINS - 1, int(one.confidence * BINS)), []).append(one)
    total = sum(map(len, bins.values()))
    off = (
        abs(sum(o.confidence for o in held) - sum(o.right for o in held)) for held in bins.values()
    )
    return sum(off) / total if total else 0.0
