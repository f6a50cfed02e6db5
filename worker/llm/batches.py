"""What every provider's batch API is: many requests handed in at once, answered within a day at a
lower price.

A provider keeps what it is handed in and what it answered until it is told to forget it.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from worker.llm.engine import Completion, EngineError, Request


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch, and the name by which its reply is known again."""

    name: str
    request: Request


@dataclass(frozen=True, slots=True)
class Order:
    """A batch as it is handed in. All of its requests are for one model."""

    name: str
    """Ours, and nobody else's: where a provider keeps a word with a batch, it is this one."""
    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a provider takes in one batch."""

    requests: int
    bytes: int
    fewest: int = 1
    """Fewer requests it refuses."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the provider has come with a batch."""

    ended: bool
    """Nothing more comes: what there is can be fetched, all of it or a part."""
    done: int = 0
    """Requests that have their reply, good or bad."""
    refused: str | None = None
    """Why the provider did not begin with it, as a sentence; then there is nothing to fetch."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one request: a completion, or why there is none."""

    name: str
    outcome: Completion | EngineError


class BatchApi(Protocol):
    """A provider's batch API. Every method makes one request on the wire, `results` one for each
    file, and raises EngineError and nothing else of the network's. Nothing is tried again here.
    """

    bounds: Bounds

    async def upload(self, order: Order) -> str:
        """Hand in the requests where the provider takes them apart from the batch; how it calls
        them. Empty: it takes them with the batch, and nothing was sent. Costs nothing; what was
        handed in twice is no harm."""
        ...

    async def create(self, order: Order, upload: str) -> str:
        """Begin the batch; how the provider calls it. An error that is `maybe_billed` may have
        begun it all the same."""
        ...

    async def find(self, order: Order, since: datetime) -> Sequence[str]:
        """The batches that `create` may have begun for this order since that moment, those first
        that surely are its own."""
        ...

    async def progress(self, remote: str) -> Progress:
        """How far it has come."""
        ...

    def results(self, remote: str) -> AsyncIterator[Reply]:
        """The replies of a batch that has ended, in any order; requests that it never came to may
        be missing, or be errors. A reply's tokens are as for a call that is made at once."""
        ...

    async def cancel(self, remote: str) -> None:
        """Ask it to stop; it ends a while later. One that has ended is left as it is."""
        ...

    async def forget(self, remote: str, upload: str) -> None:
        """Have the provider delete what it keeps of it, where it can be told to."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
