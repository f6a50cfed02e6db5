"""How many requests may be in flight at one engine from this process."""

import asyncio

from worker.flow.adapt import Controller, Ended

MOST_AHEAD = 64
"""Two micro-batches: with calls of 50 ms what 64 slots take while one claim is under way."""


class Slots(asyncio.Semaphore):
    """A semaphore that knows its size, which may change. Queues that share an engine share its
    slots."""

    most: int | None = None
    """How many there may come to be; None: their number is fixed."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size
        self._owed = 0
        """Slots that are gone as soon as whoever holds them gives them back."""
        self._one_alone = asyncio.Lock()

    async def enter(self, *, alone: bool) -> None:
        """Take a slot, or all of them; their number stays until they are given back."""
        if not alone:
            await self.acquire()
            return
        await self._one_alone.acquire()  # two of them would wait for each other
        for taken in range(self.size):
            try:
                await self.acquire()
            except asyncio.CancelledError:
                self._give(taken)
                self._one_alone.release()
                raise

    def leave(self, *, alone: bool) -> None:
        """Give back what `enter` took."""
        self._give(self.size if alone else 1)
        if alone:
            self._one_alone.release()

    def _give(self, slots: int) -> None:
        for _ in range(slots):
            self.release()

    @property
    def free(self) -> int:
        """Slots that nobody holds; below 0: more are held than there are left."""
        return self._value - self._owed

    @property
    def in_use(self) -> int:
        """Slots that are taken."""
        return self.size - self.free

    @property
    def ahead(self) -> int:
        """How much may be claimed and still wait: enough to refill every slot while the next
        claim is under way, and no more, so that what is urgent need not wait behind it."""
        return min(self.size, MOST_AHEAD)

    def release(self) -> None:
        """Give a slot back."""
        if self._owed:
            self._owed -= 1
        else:
            super().release()

    def resize(self, size: int) -> None:
        """More slots let in at once who waits; fewer are as many as soon as calls have ended."""
        more, self.size = size - self.size, size
        for _ in range(more):
            self.release()
        idle = min(max(0, -more), self._value)
        self._value -= idle
        self._owed += max(0, -more) - idle

    def ended(self, call: Ended) -> None:
        """A call ended. A fixed number learns nothing from it."""


class ReaderSlots(Slots):
    """Readers. As long as all that comes is text that needs none, many are claimed at a time: a
    claim costs more than reading a row of JSONL."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._ahead = size

    @property
    def ahead(self) -> int:
        """As many as there are readers, and up to MOST_AHEAD while none is needed."""
        return self._ahead

    def came(self, texts: int, others: int) -> None:
        """A claim brought so many texts, and so many documents that need a reader."""
        if others:
            self._ahead = self.size
        elif texts:
            self._ahead = min(2 * self._ahead, MOST_AHEAD)


class AutoSlots(Slots):
    """As many slots as the engine does best with, as its calls show."""

    def __init__(self, most: int) -> None:
        self._controller = Controller(most)
        super().__init__(self._controller.limit)
        self.most = most

    def ended(self, call: Ended) -> None:
        """A call ended: there may be more slots or fewer from now on. Where one is alone, or waits
        to be, slots are taken without a call: that says nothing."""
        if not self._one_alone.locked():
            self.resize(self._controller.ended(call, self.in_use))
