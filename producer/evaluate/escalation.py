"""What a chain of two models would come to, from their answers to the same texts. Pure.

An eval asks each model alone. Where the first one's checks call a value wrong, a job goes on to the
next place of its chain: so both answers are known. The second one's counts whole; a job that is
read again takes the fields in question alone, so that less may be lost and less is paid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from math import ceil
from typing import Any

from models.shares import Share, share
from producer.evaluate.figures import THEN, Score, rounded
from producer.query import money


@dataclass(frozen=True, slots=True)
class Escalation:
    """The texts that both models answered, with some asked of the second one, too."""

    task: str
    first: str
    onward: str
    escalated: Share
    before: Share
    """Right by the first one alone."""
    after: Share
    cost_usd: Decimal | None
    """Of all answers of the first one, and those that were asked for of the second; None: not
    known of one of them."""
    onward_usd: Decimal | None
    """Of the second one's."""

    @property
    def usd_per_right(self) -> Decimal | None:
        """What a right answer costs; None: that is not known, or there is none."""
        if self.cost_usd is None or not self.after.hits:
            return None
        return self.cost_usd / self.after.hits

    @property
    def usd_per_gained(self) -> Decimal | None:
        """What each further right answer costs; None: that is not known, or there is none."""
        gained = self.after.hits - self.before.hits
        return self.onward_usd / gained if self.onward_usd is not None and gained > 0 else None

    def as_json(self) -> dict[str, Any]:
        """What `eval --json` prints of it."""
        return {
            "to": self.onward,
            "n": self.before.n,
            "escalated": self.escalated.hits,
            "right_before": self.before.hits,
            "right_after": self.after.hits,
            "usd_per_right": money(rounded(self.usd_per_right)),
            "usd_per_gained": money(rounded(self.usd_per_gained)),
        }


def escalations(scores: Sequence[Score], places: Sequence[str], cap: float) -> Iterator[Escalation]:
    """What each model comes to with each that stands behind it in `places`, task by task. `cap`: of
    the texts so many are asked again at most, 0 to 1."""
    asked: dict[tuple[str, str], dict[bytes, Score]] = {}
    for score in scores:
        asked.setdefault((score.task, score.place), {})[score.key] = score
    for task in sorted({score.task for score in scores}):
        measured = [place for place in places if place != THEN and (task, place) in asked]
        for first, onward in combinations(measured, 2):
            ones, others = asked[task, first], asked[task, onward]
            pairs = [(ones[key], others[key]) for key in sorted(ones.keys() & others.keys())]
            if any(one.wrong for one, _ in pairs):
                yield _escalation(task, first, onward, pairs, cap)


def _escalation(
    task: str, first: str, onward: str, pairs: Sequence[tuple[Score, Score]], cap: float
) -> Escalation:
    doubted = [number for number, (one, _) in enumerate(pairs) if one.wrong]
    again = set(doubted[: ceil(cap * len(pairs))])  # in the order of hashes, as by lot
    taken = [other if n in again else one for n, (one, other) in enumerate(pairs)]
    onward_usd = _sum([other.cost_usd for n, (_, other) in enumerate(pairs) if n in again])
    first_usd = _sum([one.cost_usd for one, _ in pairs])
    return Escalation(
        task,
        first,
        onward,
        Share(len(again), len(pairs)),
        share(one.is_right for one, _ in pairs),
        share(each.is_right for each in taken),
        _sum([first_usd, onward_usd]),
        onward_usd,
    )


def _sum(costs: Sequence[Decimal | None]) -> Decimal | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None
