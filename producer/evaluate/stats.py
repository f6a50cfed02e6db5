"""Shares with their intervals, and differences of pairs. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, comb, sqrt

Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with its 95 % interval."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.hits / self.n if self.n else 0.0

    @property
    def low(self) -> float:
        """Where its 95 % interval begins."""
        return wilson(self.hits, self.n)[0]

    @property
    def high(self) -> float:
        """Where its 95 % interval ends."""
        return wilson(self.hits, self.n)[1]


def share(found: Iterable[bool]) -> Share:
    """How many of these are so."""
    every = list(found)
    return Share(sum(every), len(every))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = hits / n, Z_95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


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
