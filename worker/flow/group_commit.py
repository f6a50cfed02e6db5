"""Group commit: whatever is ready while one write is under way goes together into the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

GATHER_S = 0.01
"""How long a group may gather whose items hold nothing up while they wait: what ended has left its
slot and is in the journal, and half as many round trips serve it."""


class GroupCommit(Generic[T]):
    """Collects items from many tasks and writes them in bulk, one write at a time.

    `put` returns when its item is durable. Under load groups grow by themselves; without load an
    item is written at once, or when it has gathered for `gather_s` seconds.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[None]],
        most: int = 256,
        gather_s: float = 0.0,
    ) -> None:
        self._write = write
        self._most = most
        self._gather_s = gather_s
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        """The write of another group has begun."""

    async def put(self, item: T) -> None:
        """Write an item; raises what the write of its group raised."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain())
        await done

    async def fewer_than(self, most: int) -> None:
        """Wait until fewer items wait to be written: whoever makes them is faster."""
        while len(self._waiting) >= most:
            self._begun.clear()
            await self._begun.wait()

    async def _drain(self) -> None:
        try:
            while self._waiting:
                if self._gather_s:
                    await asyncio.sleep(self._gather_s)
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                self._begun.set()
                await self._write_group(group)
        finally:
            self._writer = None

    async def _write_group(self, group: list[tuple[T, "asyncio.Future[None]"]]) -> None:
        try:
            await self._write([item for item, _ in group])
        except Exception as exc:
            if len(group) == 1:
                _resolve(group, exc)
            else:  # one item may be at fault: the others are not to suffer for it
                for one in group:
                    await self._write_group([one])
        else:
            _resolve(group, None)


def _resolve(group: list[tuple[T, "asyncio.Future[None]"]], exc: Exception | None) -> None:
    for _, done in group:
        if done.done():
            continue
        if exc is None:
            done.set_result(None)
        else:
            done.set_exception(exc)
