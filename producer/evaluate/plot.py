"""Cost against quality, a point a model: where everything of the drawing stands. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from producer.evaluate.figures import Figures

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 16, 44
"""Margins, in the drawing's own units; on the right names have their room."""

LEAST_DECADES = 1


@dataclass(frozen=True, slots=True)
class Point:
    """A model: its place, and where its interval begins and ends."""

    name: str
    x: float
    y: float
    low_y: float
    high_y: float
    says: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of the grid and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """All of a drawing; `unpriced` are models that it leaves out, for their cost is not known."""

    task: str
    points: list[Point]
    across: list[Mark]
    up: list[Mark]
    unpriced: list[str]


def plot(task: str, found: Sequence[Figures]) -> Plot:
    """The drawing of a task: USD per 1,000 answers from left to right, in powers of ten, what
    costs nothing at the very left; accuracy from 0 to 1 upwards."""
    mine = [one for one in found if one.task == task]
    priced = [(one, float(1000 * one.usd_per_answer)) for one in mine
              if one.usd_per_answer is not None]  # fmt: skip
    costs = [cost for _, cost in priced if cost > 0]
    first = floor(log10(min(costs))) if costs else 0
    last = max(ceil(log10(max(costs))), first + LEAST_DECADES) if costs else LEAST_DECADES

    def x(cost: float) -> float:
        decades = log10(cost) - first if cost > 0 else 0.0
        return round(LEFT + decades / (last - first) * (WIDTH - LEFT - RIGHT), 1)

    points = [
        Point(
            one.place,
            x(cost),
            _y(one.right.value),
            _y(one.right.low),
            _y(one.right.high),
            f"{one.place}: {one.right.value:.3f} of {one.right.n} right, "
            f"${cost:.4g} per 1,000 answers",
        )
        for one, cost in priced
    ]
    across = [Mark(x(10.0**power), f"${10.0**power:g}") for power in range(first, last + 1)]
    up = [Mark(_y(part / 4), f"{part * 25} %") for part in range(5)]
    unpriced = [one.place for one in mine if one.usd_per_answer is None]
    return Plot(task, points, across, up, unpriced)


def _y(part: float) -> float:
    return round(TOP + (1 - part) * (HEIGHT - TOP - BOTTOM), 1)
