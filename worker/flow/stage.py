"""What every step of the path that works in bulk looks like to the pump."""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from worker.llm.gate import Gate

Lease = Any
"""What a lease is held on: a job id, a document id or a classify key."""

Slot = AbstractAsyncContextManager[None]
"""A place at the engine or a reader, held between entering and leaving; it may be entered again."""


@dataclass(slots=True)
class Held:
    """Something this worker holds the lease of. `hint` is the id that the message named."""

    hint: int
    lease: Lease
    batch_id: int
    payload: Any


T = TypeVar("T")


class Stage(Protocol):
    """Claims ids, works on what it got, makes the outcome durable."""

    name: str
    gate: Gate | None
    """Nothing is claimed while it is shut."""
    limited: bool
    """Whether a rate limit decides when calls go out: then nothing is claimed ahead of a slot."""

    async def admit(self, ids: Sequence[int]) -> list[int]:
        """Wait until some of these may be claimed, and say which; the others stay hints."""
        ...

    def decline(self, ids: Sequence[int]) -> None:
        """What was admitted is not claimed after all."""
        ...

    async def claim(self, ids: Sequence[int]) -> list[Held]:
        """Lease what can be worked on now; the others need nothing (more) done."""
        ...

    async def work(self, held: Held, slot: Slot) -> Any:
        """Do what was claimed, its engine's part in the slot. Returns the outcome, also when it is
        cancelled."""
        ...

    async def finish(self, outcome: Any) -> None:
        """Make the outcome durable. Returns once it is."""
        ...

    async def release(self, held: Sequence[Held]) -> None:
        """Give back what was claimed and not begun."""
        ...

    async def renew(self, leases: Collection[Lease]) -> set[Lease]:
        """Prolong leases; those that do not come back belong to somebody else."""
        ...
