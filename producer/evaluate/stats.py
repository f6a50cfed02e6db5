"""Differences of pairs, and percentiles. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, comb, sqrt

from models.shares import Z_95


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more often the one of two is right, on the same texts."""

    gained: int
    """Texts of which the one is right and the other is not."""
    lost: int
    """The other way round."""
    n: int

    @property
    def value(self) -> float:
        """Of the two shares."""
        return (self.gained - self.lost) / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval (Agresti and Min, 2005: half a text more in each of the four cells)."""
        n, net = self.n + 2, self.gained - self.lost
        half = Z_95 * sqrt(self.gained + self.lost + 1 - net * net / n) / n
        return max(net / n - half, -1.0), min(net / n + half, 1.0)

    @property
    def p(self) -> float:
        """How likely so uneven a split is where both are right equally often (McNemar, exact and
        two-sided)."""
        apart = self.gained + self.lost
        tail = sum(comb(apart, k) for k in range(min(self.gained, self.lost) + 1))
        return min(float(Fraction(2 * tail, 1 << apart)), 1.0)


def difference(pairs: Iterable[tuple[bool, bool]]) -> Difference:
    """Of pairs (whether the one is right, whether the other is)."""
    every = list(pairs)
    gained = sum(one and not other for one, other in every)
    lost = sum(other and not one for one, other in every)
    return Difference(gained, lost, len(every))


def percentile(values: Sequence[float], part: float) -> float | None:
    """The smallest value that so great a part does not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(ceil(part * len(values)), 1) - 1]
