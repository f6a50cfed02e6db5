"""The run stage of one engine: takes each claimed job through its conversation."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from models.words import Queue
from worker.calls.access import EngineAccess
from worker.flow.stage import Claimed, Held, Slot
from worker.run.claims import JobClaims
from worker.run.outcome import Turn, refused
from worker.run.run import run


class RunStage:
    """Runs the jobs of one engine."""

    def __init__(
        self, access: EngineAccess, claims: JobClaims, finish: Callable[[Turn], Awaitable[None]]
    ) -> None:
        self._access = access
        self._claims = claims
        self._finish = finish

    async def claim(self, queue: Queue, claim: UUID, most: int) -> Claimed:
        """Lease jobs and reserve their first calls."""
        return await self._claims.claim(queue, claim, most)

    async def work(self, held: Held, slot: Slot) -> Turn:
        """Ask the engine; returns the turn whatever happens."""
        return await run(held.payload, self._access, slot)

    async def finish(self, outcome: Turn) -> None:
        """Write the turn."""
        await self._finish(outcome)

    def refused(self, outcome: Turn, exc: Exception) -> Turn:
        """The job has failed; its calls stand in the ledger as they were, or as lost."""
        return refused(outcome, exc)

    async def release(self, held: Sequence[Held]) -> None:
        """Back in line, without a trace."""
        await self._claims.release(held)
