"""Processes that leave an engine to one of them: nobody asks beside it, and all have their turn."""

import asyncio
import random
from collections.abc import Mapping
from uuid import UUID

import pytest

from tests.clock import passes, settle, virtual_time
from worker.flow.slots import Slots
from worker.flow.solitude import Peer, Solitude, Standing
from worker.settings import PRESENCE_S

SLOTS = 3


class Board:
    """What the processes said last, for all to see."""

    def __init__(self) -> None:
        self.said: dict[UUID, Standing] = {}
        self.in_flight: dict[UUID, int] = {}
        self.beside = 0
        """Calls that were in flight beside one that had the engine to itself."""

    def others(self, owner: UUID) -> list[Peer]:
        return [Peer(one, standing) for one, standing in self.said.items() if one != owner]


class Process:
    """Says how it stands every now and then, and at once where that is wanted."""

    def __init__(self, board: Board, number: int) -> None:
        self.board, self.owner = board, UUID(int=number)
        self.slots = Slots(SLOTS)
        self.solitude = Solitude(self.slots, self.owner)
        self.news = asyncio.Event()
        self.solitude.tell = self.news.set

    async def run(self, rng: random.Random) -> None:
        while True:
            self.news.clear()
            stood = self.solitude.standing
            await asyncio.sleep(rng.uniform(0, 0.05))
            self.board.said[self.owner] = stood
            await asyncio.sleep(rng.uniform(0, 0.05))
            peers = self.board.others(self.owner)
            await asyncio.sleep(rng.uniform(0, 0.05))
            self.solitude.hear(stood, peers)
            try:
                async with asyncio.timeout(PRESENCE_S):
                    await self.news.wait()
            except TimeoutError:
                pass

    async def call(self, seconds: float) -> None:
        await self.slots.enter(alone=False)
        await self._ask(seconds, alone=False)
        self.slots.leave(alone=False)

    async def call_alone(self, seconds: float) -> None:
        await self.solitude.enter()
        await self._ask(seconds, alone=True)
        self.solitude.leave()

    async def _ask(self, seconds: float, *, alone: bool) -> None:
        in_flight = self.board.in_flight
        in_flight[self.owner] = in_flight.get(self.owner, 0) + 1
        for _ in range(10):
            await asyncio.sleep(seconds / 10)
            self.board.beside += alone * (sum(in_flight.values()) - 1)
        in_flight[self.owner] -= 1


class Fleet:
    """Processes at one engine, while it lasts."""

    def __init__(self, number: int, seed: int = 0) -> None:
        self.board = Board()
        self.rng = random.Random(seed)
        self.processes = [Process(self.board, n + 1) for n in range(number)]

    async def __aenter__(self) -> list[Process]:
        self._running = [asyncio.create_task(one.run(self.rng)) for one in self.processes]
        await passes(lambda: len(self.board.said) == len(self.processes), "all said something")
        return self.processes

    async def __aexit__(self, *_: object) -> None:
        for one in self.processes:
            one.solitude.close()
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)

    def standings(self) -> Mapping[int, Standing]:
        return {one.owner.int: one.solitude.standing for one in self.processes}

    def all_open(self) -> bool:
        return set(self.standings().values()) == {Standing.OPEN}


@virtual_time
async def test_whoever_is_alone_waits_for_calls_of_other_processes_and_they_for_it():
    fleet = Fleet(2)
    async with fleet as (a, b):
        long = asyncio.create_task(b.call(20.0))
        await settle()
        alone = asyncio.create_task(a.call_alone(5.0))
        await asyncio.sleep(19.0)
        assert fleet.standings() == {1: Standing.WAITS, 2: Standing.OPEN}
        await long
        await passes(lambda: a.solitude.standing is Standing.ALONE, "its turn")
        late = asyncio.create_task(b.call(0.1))
        await alone
        assert not late.done()
        await late
        assert fleet.board.beside == 0
        await passes(fleet.all_open, "all are open")
        assert [one.slots.free for one in fleet.processes] == [SLOTS, SLOTS]


@virtual_time
async def test_where_no_other_process_is_there_nobody_is_waited_for():
    fleet = Fleet(1)
    async with fleet as (only,):
        started = asyncio.get_running_loop().time()
        await only.call_alone(0.0)
        assert asyncio.get_running_loop().time() - started < 1.0


@virtual_time
async def test_of_many_processes_with_many_calls_each_has_its_turn_and_nobody_asks_beside_it():
    for seed in range(40):
        fleet = Fleet(4, seed)
        rng = random.Random(seed)
        async with fleet as processes:
            async with asyncio.timeout(600), asyncio.TaskGroup() as calls:
                for _ in range(30):
                    one = rng.choice(processes)
                    ask = one.call_alone if rng.random() < 0.3 else one.call
                    calls.create_task(ask(rng.uniform(0.1, 3.0)))
                    await asyncio.sleep(rng.uniform(0, 0.5))
            assert fleet.board.beside == 0, seed
            await passes(fleet.all_open, "all are open")
            assert [one.slots.free for one in processes] == [SLOTS] * 4


@virtual_time
async def test_a_process_that_comes_later_stands_aside_before_it_asks_anything():
    fleet = Fleet(1)
    async with fleet as (a,):
        alone = asyncio.create_task(a.call_alone(20.0))
        await passes(lambda: a.solitude.standing is Standing.ALONE, "its turn")
        late = Process(fleet.board, 2)
        late.solitude.hear(Standing.OPEN, fleet.board.others(late.owner))
        await settle()
        assert (late.solitude.standing, late.slots.locked()) == (Standing.ASIDE, True)
        await alone
        late.solitude.hear(Standing.ASIDE, [Peer(a.owner, Standing.OPEN)])
        assert (late.solitude.standing, late.slots.free) == (Standing.OPEN, SLOTS)


@virtual_time
async def test_who_is_stopped_while_it_waits_for_its_turn_keeps_no_slot_and_holds_nobody_up():
    fleet = Fleet(2)
    async with fleet as (a, b):
        long = asyncio.create_task(b.call(10.0))
        await settle()
        alone = asyncio.create_task(a.call_alone(5.0))
        await passes(lambda: a.solitude.standing is Standing.WAITS, "waits")
        alone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await alone
        assert (a.solitude.standing, a.slots.free) == (Standing.OPEN, SLOTS)
        await asyncio.gather(long, b.call(0.1))
