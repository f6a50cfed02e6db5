"""Slots whose number changes while they are held."""

import asyncio

import pytest

from tests.clock import settle
from worker.flow.adapt import FIRST, Ended
from worker.flow.slots import AutoSlots, Slots
from worker.llm.engine import Trouble


class Holders:
    """Some that want a slot each; those that got one hold it until they are told."""

    def __init__(self, slots: Slots, many: int) -> None:
        self.slots = slots
        self.done = [asyncio.Event() for _ in range(many)]
        self.tasks = [asyncio.create_task(self._hold(event)) for event in self.done]
        self.inside = 0

    async def _hold(self, event: asyncio.Event) -> None:
        async with self.slots:
            self.inside += 1
            await event.wait()
            self.inside -= 1

    async def end(self, first: int, last: int) -> None:
        for event in self.done[first:last]:
            event.set()
        await settle()


async def test_more_slots_let_in_at_once_who_waits():
    slots = Slots(2)
    holders = Holders(slots, 6)
    await settle()
    slots.resize(5)
    await settle()
    assert (holders.inside, slots.in_use, slots.free, slots.ahead) == (5, 5, 0, 5)
    await holders.end(0, 6)


async def test_fewer_slots_are_as_many_as_soon_as_calls_have_ended():
    slots = Slots(5)
    holders = Holders(slots, 8)
    await settle()
    slots.resize(2)
    assert (slots.size, slots.ahead, slots.free, slots.in_use) == (2, 2, -3, 5)
    inside = []
    for one in range(8):
        await holders.end(one, one + 1)
        inside.append(holders.inside)
    assert inside == [4, 3, 2, 2, 2, 2, 1, 0]
    assert (slots.free, slots.in_use) == (2, 0)


async def test_slots_that_nobody_holds_are_gone_at_once():
    slots = Slots(5)
    holders = Holders(slots, 1)
    await settle()
    slots.resize(3)
    assert (slots.free, slots.in_use) == (2, 1)
    await holders.end(0, 1)
    assert slots.free == 3


async def test_slots_that_were_to_go_may_stay():
    slots = Slots(4)
    holders = Holders(slots, 6)
    await settle()
    slots.resize(1)
    slots.resize(3)
    await holders.end(0, 2)
    assert (holders.inside, slots.in_use) == (3, 3)
    await holders.end(2, 6)
    assert (slots.free, slots.in_use) == (3, 0)


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_a_number_that_is_fixed_stays(size):
    slots = Slots(size)
    for _ in range(1_000):
        slots.ended(Ended(1.0, 10, Trouble.TIMEOUT))
    assert (slots.size, slots.most) == (size, None)


async def test_slots_that_adapt_follow_their_calls():
    slots = AutoSlots(64)
    holders = Holders(slots, FIRST)
    await settle()
    sizes = []
    for _ in range(1_000):
        slots.ended(Ended(1.0, 10))
        sizes.append(slots.size)
    assert (sizes[0], slots.most) == (FIRST, 64)
    assert max(sizes) == 2 * FIRST  # no more are tried while there is nothing to fill them
    await holders.end(0, FIRST)


async def test_who_is_alone_has_all_slots_and_their_number_stays_meanwhile():
    slots = AutoSlots(64)
    for alone_after in (0, 1):
        holders = Holders(slots, alone_after)
        await settle()
        alone = asyncio.create_task(slots.enter(alone=True))
        await settle()
        await holders.end(0, alone_after)
        for _ in range(200):
            slots.ended(Ended(0.0, 1.0, 10, Trouble.UNAVAILABLE))
            slots.ended(Ended(0.0, 1.0, 10))
        await alone
        assert (slots.size, slots.in_use) == (FIRST, FIRST)
        slots.leave(alone=True)
        assert (slots.size, slots.free) == (FIRST, FIRST)
