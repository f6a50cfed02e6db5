"""Which queue an engine takes its next work from. Pure.

An engine that loads models keeps to the one that it has loaded: A B A A C becomes A A A B C. It
changes when that one has nothing left to do, or when another has waited for too long and no other
worker is at it, so that of several hosts one changes and the others stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_MODEL_WAIT_S = 30.0
"""How long a model's work may wait for another model's before an engine has to change."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queue that has something to do, as one worker sees it."""

    queue: str
    model: str
    since_s: float
    """For how long it has been waiting, in seconds."""
    served: bool
    """Whether some worker is at it, this one or another."""
    last_at: float
    """When this worker last took something from it."""


def choose(waiting: Sequence[Waiting], loaded: str | None, patience_s: float) -> Waiting | None:
    """The queue to take from next; None: there is none. `loaded` is the model in use, if the
    engine has to load them; `patience_s` is MAX_MODEL_WAIT_S and a little of each worker's own."""
    overdue = [
        one
        for one in waiting
        if one.model != loaded and not one.served and one.since_s > patience_s
    ]
    in_use = [one for one in waiting if one.model == loaded]
    for group in (overdue, in_use, [one for one in waiting if not one.served], waiting):
        if group:  # in turns: the one that this worker has been away from for longest
            return min(group, key=lambda one: (one.last_at, one.queue))
    return None
