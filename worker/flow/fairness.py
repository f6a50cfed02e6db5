"""What runs next: priority, then fairness between batches, then the model that is loaded. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice, zip_longest

MAX_MODEL_WAIT_S = 30.0
"""How long a model's jobs may wait for another model's before the engine has to switch."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that could run now."""

    id: int
    batch_id: int
    priority: int
    model: str


def order(
    candidates: Iterable[Candidate], depth: int, affinity: "Affinity", now: float
) -> list[Candidate]:
    """The next `depth` candidates in the order in which they should run.

    Higher priority first. Within a priority batches take turns, so that a small batch is not
    behind a large one. What these turns picked is then grouped by model (A B A A C becomes
    A A A B C), the model in use first, unless another has waited for too long.
    """
    by_priority = sorted(candidates, key=lambda candidate: -candidate.priority)
    ordered: list[Candidate] = []
    for _, group in groupby(by_priority, key=lambda candidate: candidate.priority):
        equals = list(group)
        rank = {model: place for place, model in enumerate(affinity.models(equals, now))}
        equals.sort(key=lambda candidate: rank[candidate.model])
        fair = islice(_take_turns(equals), depth - len(ordered))
        ordered += sorted(fair, key=lambda candidate: rank[candidate.model])
        if len(ordered) >= depth:
            break
    return ordered


def _take_turns(candidates: Sequence[Candidate]) -> Iterable[Candidate]:
    batches: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        batches.setdefault(candidate.batch_id, []).append(candidate)
    rounds = zip_longest(*batches.values())
    return (candidate for candidate in chain.from_iterable(rounds) if candidate is not None)


@dataclass(slots=True)
class Affinity:
    """Remembers which model was fed last and since when the others wait."""

    current: str | None = None
    since: dict[str, float] = field(default_factory=dict)

    def models(self, candidates: Sequence[Candidate], now: float) -> list[str]:
        """The models of these candidates, the one to feed first in front."""
        present = list(dict.fromkeys(candidate.model for candidate in candidates))
        overdue = [model for model in present if self._waited(model, now) > MAX_MODEL_WAIT_S]
        overdue.sort(key=lambda model: self.since[model])
        in_use = [self.current] if self.current in present else []
        return list(dict.fromkeys([*overdue, *in_use, *present]))

    def _waited(self, model: str, now: float) -> float:
        return now - self.since.get(model, now)

    def fed(self, sent: Sequence[Candidate], waiting: Iterable[str], now: float) -> None:
        """Note what was sent and which models have work left waiting."""
        for model in {candidate.model for candidate in sent}:
            self.since.pop(model, None)
        if sent:
            self.current = sent[-1].model
        present = set(waiting) - {candidate.model for candidate in sent}
        self.since = {model: self.since.get(model, now) for model in present}


def depth_for(rate_per_s: float) -> int:
    """How many hints a queue should hold: the work of the next AHEAD_S, so that no worker runs dry
    between two looks, less what workers hold besides, so that what is urgent gets to the front soon
    also where calls take long."""
    return max(LEAST_DEPTH, min(MOST_DEPTH, int(rate_per_s * AHEAD_S) - LEAST_DEPTH))


def rate_for(depth: int) -> float:
    """The rate that calls for such a depth."""
    return (depth + LEAST_DEPTH) / AHEAD_S


LEAST_DEPTH, MOST_DEPTH = 16, 4096
AHEAD_S = 0.3


def messages(ids: Sequence[int], most: int) -> list[Sequence[int]]:
    """Ids in micro-batches: small while there is little, so that several workers share it."""
    size = max(1, min(most, len(ids) // 4))
    return [ids[start : start + size] for start in range(0, len(ids), size)]
