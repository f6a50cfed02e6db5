"""Slots of an engine: one for each call, or all of them for one."""

import asyncio

from tests.clock import settle
from worker.flow.slots import ReaderSlots, Slots


async def test_who_has_to_be_alone_waits_for_the_others_and_they_for_it():
    slots, entered = Slots(3), asyncio.Event()

    async def alone() -> None:
        await slots.enter(alone=True)
        entered.set()

    await slots.enter(alone=False)
    task = asyncio.create_task(alone())
    await settle()
    assert not entered.is_set()
    slots.leave(alone=False)
    await settle()
    assert entered.is_set()
    assert (slots.free, slots.locked()) == (0, True)
    slots.leave(alone=True)
    await task
    assert slots.free == 3


async def test_two_that_have_to_be_alone_go_one_after_the_other():
    slots, order = Slots(4), []

    async def alone(name: str) -> None:
        await slots.enter(alone=True)
        order.append(f"{name} in")
        await asyncio.sleep(0)
        order.append(f"{name} out")
        slots.leave(alone=True)

    await asyncio.wait_for(asyncio.gather(alone("a"), alone("b")), 5)
    assert order == ["a in", "a out", "b in", "b out"]
    assert slots.free == 4


async def test_who_is_cancelled_while_waiting_to_be_alone_takes_nothing_along():
    slots = Slots(2)
    await slots.enter(alone=False)
    task = asyncio.create_task(slots.enter(alone=True))
    await settle()
    task.cancel()
    await asyncio.wait([task])
    slots.leave(alone=False)
    assert slots.free == 2
    await asyncio.wait_for(slots.enter(alone=True), 5)


def test_many_texts_are_claimed_at_a_time_until_something_needs_a_reader():
    slots = ReaderSlots(2)
    assert slots.ahead == 2
    for ahead in (4, 8, 16, 32, 64, 64):
        slots.came(texts=3, others=0)
        assert slots.ahead == ahead
    slots.came(texts=0, others=0)
    assert slots.ahead == 64
    slots.came(texts=31, others=1)
    assert slots.ahead == 2
