"""Solitude: an engine that went down in the middle of a call is left to one prompt that may have
done it, by all processes that ask it at its address, so that a second death is that prompt's own.

Each process says how it stands, and hears how the others do (worker/presence.py). Whoever waits for
its turn has emptied its own slots; the others that hear of it empty theirs and stand aside. When
all have, the one of the smallest id takes its turn. It says so, and looks once more before it asks:
of two that say so at once each sees the other, for both look after they have said it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from worker.flow.slots import Slots

AGAIN_S = 0.25
"""After which whoever waits for its turn looks again."""


class Standing(StrEnum):
    """How a process stands to an engine."""

    OPEN = "open"  # it asks whatever there is
    WAITS = "waits_to_be_alone"  # it asks nothing, and waits for its turn
    ALONE = "asks_alone"  # it has its turn
    ASIDE = "stands_aside"  # it asks nothing, for another one waits or has its turn


SAID = {
    Standing.WAITS: "it went down in the middle of a call, which waits to be asked alone",
    Standing.ALONE: "it went down in the middle of a call, which is asked alone",
    Standing.ASIDE: "it is left to another worker, which asks alone what it went down with",
}
"""The same for people."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another process that asks an engine at the same address."""

    owner: UUID
    standing: Standing


class Solitude:
    """One process's part in it, for one engine. `owner` is the process's id."""

    def __init__(self, slots: Slots, owner: UUID) -> None:
        self.standing = Standing.OPEN
        self.since = datetime.now(UTC)
        self.tell: Callable[[], None] = lambda: None
        """Called when the others had better hear now how this process stands."""
        self._slots = slots
        self._owner = owner
        self._peers: Sequence[Peer] = ()
        self._heard = asyncio.Event()
        self._retreat: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        """Have the engine to oneself, in all processes."""
        await self._slots.enter(alone=True)
        try:
            while not await self._has_its_turn():
                await asyncio.sleep(AGAIN_S)
        except asyncio.CancelledError:
            self.leave()
            raise

    def leave(self) -> None:
        """Done; where others wait for their turn the slots stay empty for them."""
        self._stand(Standing.ASIDE if self._others_ask() else Standing.OPEN)
        if self.standing is Standing.OPEN:
            self._slots.leave(alone=True)

    def hear(self, said: Standing, peers: Sequence[Peer]) -> None:
        """How the others stood after all could know that this process stood so."""
        self._peers = peers
        if self._others_ask():
            if self.standing is Standing.OPEN and self._retreat is None:
                self._retreat = asyncio.create_task(self._step_aside())
        elif self.standing is Standing.ASIDE:
            self._stand(Standing.OPEN)
            self._slots.leave(alone=True)
        if said is self.standing:
            self._heard.set()

    async def _has_its_turn(self) -> bool:
        """One try for it."""
        await self._heard_as(Standing.WAITS)
        waiting = [peer.owner for peer in self._peers if peer.standing is Standing.WAITS]
        if not self._others_are_quiet() or min(waiting, default=self._owner) < self._owner:
            return False
        await self._heard_as(Standing.ALONE)
        return self._others_are_quiet()

    async def _heard_as(self, standing: Standing) -> None:
        """Until the others have been looked at after they could know of it."""
        self._stand(standing)
        await self._heard.wait()

    def _stand(self, standing: Standing) -> None:
        self.standing, self.since = standing, datetime.now(UTC)
        self._heard.clear()
        self.tell()

    def _others_ask(self) -> bool:
        return any(peer.standing in (Standing.WAITS, Standing.ALONE) for peer in self._peers)

    def _others_are_quiet(self) -> bool:
        return not any(peer.standing in (Standing.OPEN, Standing.ALONE) for peer in self._peers)

    async def _step_aside(self) -> None:
        await self._slots.enter(alone=True)
        self._retreat = None
        self._stand(Standing.ASIDE)
        if not self._others_ask():  # it took this long
            self._stand(Standing.OPEN)
            self._slots.leave(alone=True)

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._retreat is not None:
            self._retreat.cancel()
