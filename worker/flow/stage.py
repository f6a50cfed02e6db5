"""What every stage of the path that works in bulk looks like to the pump."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from models.words import Queue, Stage
from worker.db import Statement

Slot = AbstractAsyncContextManager[None]
"""A place at the engine or a reader, held between entering and leaving; it may be entered again."""


class Lease(NamedTuple):
    """What a worker holds: the document or the job that a stage is at, from one claim. Held again
    after it was given back, it is another lease."""

    stage: Stage
    item: int
    claim: UUID


@dataclass(slots=True)
class Held:
    """Something that this worker holds the lease of, with what working on it takes."""

    lease: Lease
    line: int
    payload: Any
    alone: bool = False
    """The engine went down while it was at this and others: it is asked for this alone."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim brought. `taken` counts what left the queue, also where nothing is left to do
    about it: 0 says that the queue is empty."""

    taken: int
    held: Sequence[Held] = ()


def put_back(
    stage: Stage, items: Sequence[int], owner: UUID, delay_s: float | None = None
) -> Statement:
    """The statement that gives up a worker's leases of these items: they are in line again, at once
    or in so many seconds."""
    stages = [stage] * len(items)
    return (
        "flow/release",
        {"stages": stages, "items": list(items), "owner": owner, "delay_s": delay_s},
    )


class StageWork(Protocol):
    """Claims from a queue, works on what it got, makes the outcome durable."""

    async def claim(self, queue: Queue, claim: UUID, most: int) -> Claimed:
        """Lease up to `most` items. Repeated under the same `claim`, it brings the same ones."""
        ...

    async def work(self, held: Held, slot: Slot) -> Any:
        """Do what was claimed, its engine's part in the slot. Returns the outcome, whatever
        happens: also when it is cancelled, and for a fault of our own."""
        ...

    async def finish(self, outcome: Any) -> None:
        """Make the outcome durable. Returns once it is."""
        ...

    def refused(self, outcome: Any, exc: Exception) -> Any:
        """What to write in place of an outcome that Postgres refuses for a fault of ours: the less,
        the more often it is asked."""
        ...

    async def release(self, held: Sequence[Held]) -> None:
        """Give back what was claimed and not begun."""
        ...


class Access(Protocol):
    """Whether the engine behind a queue may be asked for what it does there."""

    def room(self, waiting: int, engaged: int) -> int | None:
        """How many more jobs may be claimed for it, where so many wait for their turn and so many
        are under way; None: as many as there are slots."""
        ...
