"""Shares with their intervals. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959964
"""Of an interval that holds the true share 95 times in a hundred."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with its 95 % interval."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """The share, 0 to 1; 0 of nothing."""
        return self.hits / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where its 95 % interval begins and ends."""
        return wilson(self.hits, self.n)

    @property
    def low(self) -> float:
        """Where its 95 % interval begins."""
        return self.interval[0]

    @property
    def high(self) -> float:
        """Where its 95 % interval ends."""
        return self.interval[1]

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}) of {self.n:,}"


def share(found: Iterable[bool]) -> Share:
    """How many of these are so."""
    every = list(found)
    return Share(sum(every), len(every))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927), which holds for few, too."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = hits / n, Z_95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)
