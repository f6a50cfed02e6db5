"""How many requests may be in flight at one engine from this process."""

import asyncio

MOST_AHEAD = 64
"""Two micro-batches: with calls of 50 ms what 64 slots take while one claim is under way."""


class Slots(asyncio.Semaphore):
    """A semaphore that knows its size. Queues that share an engine share its slots."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size
        self._one_alone = asyncio.Lock()

    async def enter(self, *, alone: bool) -> None:
        """Take a slot, or all of them."""
        if not alone:
            await self.acquire()
            return
        async with self._one_alone:  # two of them would wait for each other
            for taken in range(self.size):
                try:
                    await self.acquire()
                except asyncio.CancelledError:
                    self._give(taken)
                    raise

    def leave(self, *, alone: bool) -> None:
        """Give back what `enter` took."""
        self._give(self.size if alone else 1)

    def _give(self, slots: int) -> None:
        for _ in range(slots):
            self.release()

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return self._value

    @property
    def ahead(self) -> int:
        """How much may be claimed and still wait: enough to refill every slot while the next
        claim is under way, and no more, so that what is urgent need not wait behind it."""
        return min(self.size, MOST_AHEAD)
