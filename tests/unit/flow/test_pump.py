import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.waiting import until
from worker.flow import pump as pump_module
from worker.flow.pump import Pump
from worker.flow.slots import Slots
from worker.flow.stage import Held, Slot
from worker.outage import Outage

BATCH = 7


class FakeGate:
    """A gate that tests open and shut."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    async def wait_open(self) -> None:
        await self._open.wait()


class FakeStage:
    """Everything that a stage does, remembered. The engine's part of the work goes on until `go`
    is set; what comes after it, without a slot, until `judged` is."""

    name = "fake"
    limited = False

    async def admit(self, ids: Sequence[int]) -> list[int]:
        self.admitting += 1
        await self.admits.wait()
        return list(ids)

    def decline(self, ids: Sequence[int]) -> None:
        self.declined += ids

    def __init__(self) -> None:
        self.gate: Any = None
        self.admits = asyncio.Event()
        self.admits.set()
        self.admitting = 0
        self.declined: list[int] = []
        self.go = asyncio.Event()
        self.go.set()
        self.steps: asyncio.Semaphore | None = None
        self.judged = asyncio.Event()
        self.judged.set()
        self.judging = 0
        self.nothing: set[int] = set()
        """Ids that there is nothing to do for."""
        self.work_fails: set[int] = set()
        self.finish_fails: set[int] = set()
        self.lost: set[int] = set()
        self.batch_of: Callable[[int], int] = lambda hint: BATCH
        self.claims: list[list[int]] = []
        self.begun: list[int] = []
        self.finished: list[int] = []
        self.released: list[int] = []
        self.cancelled: list[int] = []
        self.renewed: list[int] = []
        self.at_work = 0
        self.most_at_work = 0

    def in_steps(self) -> asyncio.Semaphore:
        """Let one piece of work end with each release of this."""
        self.steps = asyncio.Semaphore(0)
        return self.steps

    async def claim(self, ids: Sequence[int]) -> list[Held]:
        self.claims.append(list(ids))
        await asyncio.sleep(0)
        return [
            Held(hint, ("lease", hint), self.batch_of(hint), None)
            for hint in ids
            if hint not in self.nothing
        ]

    async def work(self, held: Held, slot: Slot) -> tuple[str, int]:
        try:
            async with slot:
                outcome = await self._exchange(held)
        except asyncio.CancelledError:
            return ("not begun", held.hint)
        self.judging += 1
        await self.judged.wait()
        self.judging -= 1
        return outcome

    async def _exchange(self, held: Held) -> tuple[str, int]:
        self.begun.append(held.hint)
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await (self.steps.acquire() if self.steps else self.go.wait())
            await asyncio.sleep(0)
            if held.hint in self.work_fails:
                raise KeyError(held.hint)
        except asyncio.CancelledError:
            self.cancelled.append(held.hint)
            return ("interrupted", held.hint)
        finally:
            self.at_work -= 1
        return ("done", held.hint)

    async def finish(self, outcome: tuple[str, int]) -> None:
        await asyncio.sleep(0)
        if outcome[1] in self.finish_fails:
            raise ValueError(outcome)
        self.finished.append(outcome[1])

    async def release(self, held: Sequence[Held]) -> None:
        await asyncio.sleep(0)
        self.released += [item.hint for item in held]

    async def renew(self, leases: Collection[Any]) -> set[Any]:
        self.renewed += [hint for _, hint in leases]
        return {lease for lease in leases if lease[1] not in self.lost}


class FakeDatabase:
    """Knows which batches are stopped; can be away."""

    def __init__(self) -> None:
        self.outage = Outage("postgres")
        self.stopped: set[int] = set()
        self.away = False

    async def run_once(self, statements: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
        if self.away:
            raise psycopg.OperationalError("away")
        ((name, params),) = statements
        assert name == "stopped_batches"
        return [[{"id": batch} for batch in params["ids"] if batch in self.stopped]]


class Rig:
    """A pump with everything around it."""

    def __init__(self, slots: int) -> None:
        self.stage = FakeStage()
        self.db = FakeDatabase()
        self.slots = Slots(slots)
        self.used: list[int] = []
        self.pump = Pump(self.stage, self.slots, self.db, lambda: self.used.append(self.pump.hints))
        self._takers: list[asyncio.Task[None]] = []

    def take(self, ids: Sequence[int], pump: Pump | None = None) -> "asyncio.Task[None]":
        """Hand ids to the pump; the task is done once it has nothing to do with them any more."""
        pump = pump or self.pump
        pump.take(ids)
        taker = asyncio.create_task(self._gone(pump, ids))
        self._takers.append(taker)
        return taker

    async def _gone(self, pump: Pump, ids: Sequence[int]) -> None:
        while not pump._here.isdisjoint(ids):
            await asyncio.sleep(0)

    async def taken(self, ids: Sequence[int]) -> None:
        await asyncio.wait_for(self.take(ids), timeout=5)

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition, "it comes about", every=0.005)

    async def close(self) -> None:
        self.stage.go.set()
        await self.pump.drain(1)
        for taker in self._takers:
            taker.cancel()
        await asyncio.gather(*self._takers, return_exceptions=True)


@asynccontextmanager
async def rig(slots: int = 2) -> AsyncIterator[Rig]:
    made = Rig(slots)
    made.pump.start()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump_module, "CONTROL_S", 0.02)
    monkeypatch.setattr(pump_module, "RENEW_S", 0.04)
    monkeypatch.setattr(pump_module, "LEASE_S", 0.3)


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_everything_that_is_taken_is_finished():
    async with rig() as r:
        await r.taken(range(100))
        assert sorted(r.stage.finished) == list(range(100))
        assert r.stage.released == []


async def test_what_is_taken_stays_here_until_the_last_is_finished():
    async with rig() as r:
        r.stage.go.clear()
        taker = r.take([1, 2, 3])
        await r.until(lambda: r.stage.at_work == 2)
        await settle()
        assert not taker.done()
        r.stage.go.set()
        await asyncio.wait_for(taker, timeout=5)
        assert sorted(r.stage.finished) == [1, 2, 3]


async def test_taking_nothing_claims_nothing():
    async with rig() as r:
        await r.taken([])
        assert r.stage.claims == []


async def test_ids_that_need_nothing_done_are_let_go():
    async with rig() as r:
        r.stage.nothing = {1, 3}
        await r.taken([1, 2, 3])
        assert r.stage.finished == [2]


async def test_the_same_hint_from_several_messages_is_worked_on_once_while_it_is_here():
    async with rig() as r:
        r.stage.go.clear()
        takers = [r.take([1, 2]), r.take([2, 1]), r.take([1, 1])]
        await r.until(lambda: r.stage.at_work == 2)
        late = r.take([2])
        await settle()
        assert not any(taker.done() for taker in (*takers, late))
        r.stage.go.set()
        await asyncio.wait_for(asyncio.gather(*takers, late), timeout=5)
        assert sorted(r.stage.begun) == [1, 2]
        assert [hint for claim in r.stage.claims for hint in claim] == [1, 2]


async def test_a_hint_that_was_done_may_come_again():
    async with rig() as r:
        await r.taken([1])
        await r.taken([1])
        assert r.stage.begun == [1, 1]


@given(st.lists(st.lists(st.integers(1, 30), max_size=20), max_size=8), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_every_id_is_worked_on_and_never_more_at_once_than_there_are_slots(messages, slots):
    async def scene() -> FakeStage:
        async with rig(slots) as r:
            takers = [r.take(message) for message in messages]
            await asyncio.wait_for(asyncio.gather(*takers), timeout=10)
            return r.stage

    stage = asyncio.run(scene())
    assert set(stage.finished) == {hint for message in messages for hint in message}
    assert stage.most_at_work <= slots
    assert stage.at_work == 0


async def test_stages_that_share_slots_share_their_number():
    async with rig(2) as r:
        other = FakeStage()
        pump = Pump(other, r.slots, r.db)
        pump.start()
        r.stage.go.clear()
        other.go.clear()
        takers = [r.take(range(10)), r.take(range(10), pump)]
        await r.until(lambda: r.stage.at_work + other.at_work == 2)
        await settle()
        assert r.stage.at_work + other.at_work == 2
        r.stage.go.set()
        other.go.set()
        await asyncio.wait_for(asyncio.gather(*takers), timeout=5)
        await pump.drain(1)


async def test_no_more_is_claimed_than_the_slots_and_a_little_ahead_hold():
    async with rig(3) as r:
        r.stage.go.clear()
        r.take(range(100))
        await r.until(lambda: r.stage.at_work == 3)
        await settle()
        claimed = sum(map(len, r.stage.claims))
        assert claimed == r.slots.size + r.slots.ahead


async def test_a_slot_is_free_for_the_next_while_an_answer_is_looked_at():
    async with rig(1) as r:
        r.stage.judged.clear()
        taker = r.take([1, 2])
        await r.until(lambda: r.stage.judging == 2)
        assert r.stage.most_at_work == 1
        assert r.stage.finished == []
        r.stage.judged.set()
        await asyncio.wait_for(taker, timeout=5)
        assert r.stage.finished == [1, 2]


async def test_what_is_looked_at_counts_as_claimed_so_that_it_cannot_pile_up():
    async with rig(2) as r:
        r.stage.judged.clear()
        r.take(range(20))
        await r.until(lambda: r.stage.judging == r.pump.most_in_hand)
        await settle()
        assert sum(map(len, r.stage.claims)) == r.pump.most_in_hand


async def test_a_claim_waits_until_half_of_what_is_held_ahead_is_free():
    async with rig(4) as r:
        steps = r.stage.in_steps()
        r.take(range(100))
        await r.until(lambda: r.stage.at_work == 4)
        await r.until(lambda: sum(map(len, r.stage.claims)) == 8)
        r.stage.claims.clear()
        steps.release()
        await r.until(lambda: len(r.stage.finished) == 1)
        await settle()
        assert r.stage.claims == []
        steps.release()
        await r.until(lambda: len(r.stage.finished) == 2)
        await settle()
        assert list(map(len, r.stage.claims)) == [2]
        for _ in range(98):
            steps.release()


async def test_the_last_hints_are_claimed_as_soon_as_they_fit():
    async with rig(4) as r:
        steps = r.stage.in_steps()
        r.take(range(9))
        await r.until(lambda: sum(map(len, r.stage.claims)) == 8)
        steps.release()
        await r.until(lambda: sum(map(len, r.stage.claims)) == 9)
        for _ in range(9):
            steps.release()


async def test_under_a_rate_limit_every_slot_that_comes_free_is_claimed_for():
    async with rig(4) as r:
        r.stage.limited = True
        steps = r.stage.in_steps()
        r.take(range(100))
        await r.until(lambda: r.stage.at_work == 4)
        r.stage.claims.clear()
        steps.release()
        await r.until(lambda: list(map(len, r.stage.claims)) == [1])
        for _ in range(100):
            steps.release()


async def test_whoever_fetches_is_told_each_time_that_hints_were_used():
    async with rig(2) as r:
        r.stage.go.clear()
        r.take(range(10))
        await r.until(lambda: sum(map(len, r.stage.claims)) == 4)
        assert r.pump.hints == 6
        assert r.used == [6]


async def test_a_claim_names_no_more_ids_than_a_message():
    async with rig(100) as r:
        await r.taken(range(300))
        assert max(map(len, r.stage.claims)) <= pump_module.MICRO_BATCH


async def test_hints_are_claimed_in_the_order_in_which_they_came():
    async with rig(1) as r:
        await r.taken(range(20))
        assert [hint for claim in r.stage.claims for hint in claim] == list(range(20))


async def test_nothing_is_claimed_while_the_gate_is_shut():
    async with rig() as r:
        r.stage.gate = FakeGate()
        r.stage.gate.shut()
        taker = r.take([1, 2])
        await asyncio.sleep(0.05)
        assert r.stage.claims == []
        r.stage.gate.open()
        await asyncio.wait_for(taker, timeout=5)
        assert sorted(r.stage.finished) == [1, 2]


async def test_what_is_admitted_once_the_gate_has_shut_is_declined_and_stays_a_hint():
    async with rig() as r:
        r.stage.gate = FakeGate()
        r.stage.admits.clear()
        taker = r.take([1, 2])
        await r.until(lambda: r.stage.admitting == 1)
        r.stage.gate.shut()
        r.stage.admits.set()
        await r.until(lambda: r.stage.declined == [1, 2])
        await settle()
        assert r.stage.claims == []
        r.stage.gate.open()
        await asyncio.wait_for(taker, timeout=5)
        assert sorted(r.stage.finished) == [1, 2]


# --- errors of ours -------------------------------------------------------------------------------


async def test_an_exception_in_work_lets_its_hint_go_and_the_pump_goes_on():
    async with rig() as r:
        r.stage.work_fails = set(range(0, 40, 2))
        await r.taken(range(40))
        assert sorted(r.stage.finished) == list(range(1, 40, 2))
        await r.taken([99])
        assert 99 in r.stage.finished


async def test_an_exception_in_finish_lets_its_hint_go_and_the_pump_goes_on():
    async with rig() as r:
        r.stage.finish_fails = {1, 2, 3}
        await r.taken(range(6))
        assert sorted(r.stage.finished) == [0, 4, 5]
        await r.taken([99])
        assert 99 in r.stage.finished


async def test_an_exception_in_claim_does_not_end_the_pump():
    async with rig() as r:
        claim = r.stage.claim

        async def fails_once(ids: Sequence[int]) -> list[Held]:
            r.stage.claim = claim
            raise psycopg.errors.UndefinedColumn("a statement of ours is wrong")

        r.stage.claim = fails_once
        await asyncio.wait_for(r.take([1]), timeout=1.5)
        assert r.stage.declined == [1]
        await asyncio.wait_for(r.take([2]), timeout=1.5)


# --- drain ----------------------------------------------------------------------------------------


async def test_drain_lets_running_work_finish_and_gives_back_what_has_not_begun():
    async with rig(2) as r:
        r.stage.go.clear()
        taker = r.take(range(50))
        await r.until(lambda: r.stage.at_work == 2)
        await settle()
        drain = asyncio.create_task(r.pump.drain(5))
        await settle()
        r.stage.go.set()
        await asyncio.wait_for(asyncio.gather(drain, taker), timeout=5)
        claimed = {hint for claim in r.stage.claims for hint in claim}
        assert sorted(r.stage.finished) == sorted(r.stage.begun) == [0, 1]
        assert r.stage.cancelled == []
        assert set(r.stage.released) == claimed - {0, 1}


async def test_drain_cancels_what_does_not_finish_in_its_grace_and_keeps_its_outcome():
    async with rig(2) as r:
        r.stage.go.clear()
        taker = r.take([1, 2])
        await r.until(lambda: r.stage.at_work == 2)
        await asyncio.wait_for(r.pump.drain(0.05), timeout=5)
        await asyncio.wait_for(taker, timeout=5)
        assert sorted(r.stage.cancelled) == sorted(r.stage.finished) == [1, 2]


async def test_after_drain_nothing_is_taken_or_claimed():
    async with rig() as r:
        await r.pump.drain(0)
        await r.taken([1, 2, 3])
        assert r.stage.claims == []


async def test_drain_while_the_gate_is_shut_lets_every_hint_go():
    async with rig() as r:
        r.stage.gate = FakeGate()
        r.stage.gate.shut()
        taker = r.take(range(10))
        await settle()
        await asyncio.wait_for(r.pump.drain(1), timeout=5)
        await asyncio.wait_for(taker, timeout=5)
        assert r.stage.claims == []


async def test_drain_while_waiting_to_be_admitted_lets_every_hint_go():
    async with rig() as r:
        r.stage.admits.clear()
        taker = r.take(range(10))
        await r.until(lambda: r.stage.admitting == 1)
        await asyncio.wait_for(r.pump.drain(5), timeout=1)
        await asyncio.wait_for(taker, timeout=1)
        assert r.stage.claims == []


async def test_drain_twice_does_no_harm():
    async with rig() as r:
        await r.taken([1])
        await r.pump.drain(0)
        await r.pump.drain(0)


async def slow_claim(r: Rig) -> asyncio.Event:
    """Make claims wait for an event: their rows come when it is set."""
    answer, claim = asyncio.Event(), r.stage.claim

    async def waits(ids: Sequence[int]) -> list[Held]:
        held = await claim(ids)
        await answer.wait()
        return held

    r.stage.claim = waits
    return answer


async def test_drain_waits_for_a_claim_under_way_and_gives_its_leases_back():
    async with rig() as r:
        answer = await slow_claim(r)
        taker = r.take([1, 2])
        await r.until(lambda: bool(r.stage.claims))
        drain = asyncio.create_task(r.pump.drain(1))
        await asyncio.sleep(0.05)
        answer.set()
        await asyncio.wait_for(drain, timeout=5)
        await asyncio.wait_for(asyncio.shield(taker), timeout=1)
        assert sorted(r.stage.released) == [1, 2]


async def test_drain_right_after_a_claim_gives_back_what_has_not_even_begun_to_wait():
    async with rig() as r:
        answer = await slow_claim(r)
        taker = r.take([1, 2])
        await r.until(lambda: bool(r.stage.claims))
        answer.set()
        drain = asyncio.create_task(r.pump.drain(1))
        await asyncio.wait_for(drain, timeout=5)
        await asyncio.wait_for(asyncio.shield(taker), timeout=1)
        assert sorted(r.stage.released) == [1, 2]


# --- leases and control ---------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
async def test_what_has_not_begun_of_a_stopped_batch_is_given_back_and_the_rest_is_not():
    async with rig(2) as r:
        r.stage.batch_of = lambda hint: 1 if hint % 2 else 2
        r.stage.go.clear()
        taker = r.take([0, 1, 2, 3])
        await r.until(lambda: r.stage.at_work == 2)
        r.db.stopped = {1}
        await r.until(lambda: bool(r.stage.released))
        await asyncio.sleep(0.06)
        assert r.stage.released == [3]
        assert r.stage.cancelled == []
        r.stage.go.set()
        await asyncio.wait_for(taker, timeout=5)
        assert sorted(r.stage.finished) == [0, 1, 2]


@pytest.mark.usefixtures("quick")
async def test_what_was_given_back_makes_room():
    async with rig(1) as r:
        r.stage.batch_of = lambda hint: hint
        r.stage.go.clear()
        r.take([1, 2, 3])
        await r.until(lambda: r.stage.at_work == 1)
        await settle()
        assert sum(map(len, r.stage.claims)) == 2
        r.db.stopped = {2}
        await r.until(lambda: sum(map(len, r.stage.claims)) == 3)
        assert r.stage.released == [2]


@pytest.mark.usefixtures("quick")
async def test_leases_are_renewed_while_working():
    async with rig() as r:
        r.stage.go.clear()
        taker = r.take([1, 2])
        await r.until(lambda: r.stage.renewed.count(1) >= 3 and r.stage.renewed.count(2) >= 3)
        r.stage.go.set()
        await asyncio.wait_for(taker, timeout=5)
        assert r.stage.cancelled == []


@pytest.mark.usefixtures("quick")
async def test_a_lost_lease_cancels_its_work_and_nothing_else():
    async with rig(3) as r:
        r.stage.go.clear()
        taker = r.take([1, 2, 3])
        await r.until(lambda: r.stage.at_work == 3)
        r.stage.lost = {2}
        await r.until(lambda: r.stage.cancelled == [2])
        assert not taker.done()
        r.stage.go.set()
        await asyncio.wait_for(taker, timeout=5)
        assert r.stage.cancelled == [2]


@pytest.mark.usefixtures("quick")
async def test_a_worker_that_cannot_renew_for_a_whole_lease_stops_and_begins_nothing(monkeypatch):
    async with rig(2) as r:

        async def away(leases: Collection[Any]) -> set[Any]:
            raise psycopg.OperationalError("away")

        monkeypatch.setattr(r.stage, "renew", away)
        r.stage.go.clear()
        taker = r.take(range(4))
        await r.until(lambda: r.stage.at_work == 2)
        await r.until(lambda: {0, 1} <= set(r.stage.cancelled))
        await asyncio.wait_for(taker, timeout=5)


async def test_what_a_job_has_paid_for_is_written_when_its_lease_lapses_before_its_next_call():
    async with rig(1) as r:
        paid: list[int] = []

        async def two_calls(held: Held, slot: Slot) -> tuple[str, int]:
            try:
                async with slot:
                    paid.append(held.hint)
                r.pump._renewed_at -= pump_module.LEASE_S  # the process was stopped for so long
                async with slot:
                    paid.append(held.hint)
            except asyncio.CancelledError:
                return ("interrupted", held.hint)
            return ("done", held.hint)

        r.stage.work = two_calls  # type: ignore[method-assign]
        await r.taken([7])
        assert paid == [7]
        assert r.stage.finished == [7]
        assert not r.slots.locked()


async def test_what_is_being_written_is_not_given_back_though_it_needed_no_slot():
    async with rig(1) as r:
        writing, written = asyncio.Event(), asyncio.Event()

        async def known(held: Held, slot: Slot) -> tuple[str, int]:
            return ("done", held.hint)

        async def slowly(outcome: tuple[str, int]) -> None:
            writing.set()
            await written.wait()
            r.stage.finished.append(outcome[1])

        r.stage.work, r.stage.finish = known, slowly  # type: ignore[method-assign]
        r.pump.take([7])
        await writing.wait()
        drain = asyncio.create_task(r.pump.drain(5))
        await settle()
        written.set()
        await asyncio.wait_for(drain, timeout=5)
        assert (r.stage.finished, r.stage.released) == ([7], [])


async def test_a_drain_ends_in_its_time_though_nothing_can_be_given_back():
    async with rig(1) as r:

        async def never(held: Sequence[Held]) -> None:
            await asyncio.Event().wait()

        r.stage.release = never  # type: ignore[method-assign]
        r.stage.go.clear()
        r.take([1, 2])
        await r.until(lambda: r.stage.at_work == 1)
        await asyncio.wait_for(r.pump.drain(0.05), timeout=5)
        assert r.stage.cancelled == [1]


@pytest.mark.usefixtures("quick")
async def test_the_lease_loop_outlives_an_outage():
    async with rig() as r:
        r.db.away = True
        r.stage.go.clear()
        r.take(range(4))
        await asyncio.sleep(0.1)
        r.db.away = False
        r.db.stopped = {BATCH}
        await r.until(lambda: sorted(r.stage.released) == [2, 3])


async def claim_that_waits(r: Rig, seconds: float) -> "tuple[asyncio.Event, asyncio.Task[None]]":
    """A claim that has been under way for so long, as through an outage."""
    answer = await slow_claim(r)
    taker = r.take([1, 2])
    await r.until(lambda: bool(r.stage.claims))
    asked_at = asyncio.get_running_loop().time()
    await r.until(lambda: asyncio.get_running_loop().time() > asked_at + seconds)
    return answer, taker


@pytest.mark.usefixtures("quick")
async def test_what_was_claimed_after_an_outage_is_worked_on_as_any_other():
    async with rig() as r:
        answer, taker = await claim_that_waits(r, 0.31)  # a lease
        r.stage.lost = {2}
        answer.set()
        await asyncio.wait_for(taker, timeout=5)
        assert r.stage.renewed == [1, 2]
        assert (r.stage.finished, r.stage.declined) == ([1], [2])


@pytest.mark.usefixtures("quick")
async def test_a_claim_after_an_outage_that_cannot_be_renewed_is_left_to_run_out():
    async with rig() as r:
        answer, taker = await claim_that_waits(r, 0.05)

        async def away(leases: Collection[Any]) -> set[Any]:
            raise psycopg.OperationalError("away")

        r.stage.renew = away
        answer.set()
        await asyncio.wait_for(taker, timeout=5)
        assert (r.stage.begun, r.stage.finished, r.stage.declined) == ([], [], [1, 2])


async def test_an_idle_worker_claims_again_however_long_ago_it_renewed(monkeypatch):
    monkeypatch.setattr(pump_module, "LEASE_S", 0.01)
    async with rig() as r:
        await r.taken([1])
        await asyncio.sleep(0.05)
        await r.taken([2])
        assert r.stage.finished == [1, 2]
