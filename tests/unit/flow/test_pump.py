"""The pump in virtual time, with stages that remember everything and leases that are real."""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.words import INGEST, Queue, Stage
from tests.clock import VirtualLoop, now, passes, settle, virtual_time
from tests.factories import OWNER
from tests.fakes import FakeDatabase
from worker.flow.affinity import MAX_MODEL_WAIT_S
from worker.flow.leases import Leases
from worker.flow.pump import AFTER_FAULT_S, JITTER_S, LAST_WRITES_S, Lane, Pump
from worker.flow.slots import Slots
from worker.flow.stage import Claimed, Held, Lease, Slot
from worker.settings import CONTROL_S, LEASE_S, MICRO_BATCH

LINE = 7


def run_queue(model: str) -> Queue:
    return Queue(Stage.RUN, "local", model)


class FakeStage:
    """A queue's work, remembered. The engine's part of each item goes on until `go` is set; what
    comes after it, without a slot, until `judged` is."""

    def __init__(self, items: Iterable[int] = ()) -> None:
        self.waiting = deque(items)
        self.go = _set_event()
        self.judged = _set_event()
        self.claimable = _set_event()
        self.steps: asyncio.Semaphore | None = None
        self.call_s = 0.0
        self.nothing: set[int] = set()
        """Items that there is nothing to do for."""
        self.work_fails: set[int] = set()
        self.finish_fails: set[int] = set()
        self.refusals: dict[int, int] = {}
        """How many outcomes of an item Postgres refuses, one after another."""
        self.slow: dict[int, int] = {}
        """How many times it takes Postgres too long to write an item."""
        self.claim_fault: Exception | None = None
        self.line_of: Callable[[int], int] = lambda item: LINE
        self.claims: list[list[int]] = []
        self.asked_for: list[int] = []
        self.claim_ids: list[UUID] = []
        self.begun: list[int] = []
        self.finished: list[int] = []
        self.written: dict[int, str] = {}
        self.released: list[int] = []
        self.cancelled: list[int] = []
        self.at_work = 0
        self.most_at_work = 0
        self.judging = 0

    @property
    def claimed(self) -> list[int]:
        return [item for claim in self.claims for item in claim]

    def in_steps(self) -> asyncio.Semaphore:
        """Let one piece of work end with each release of this."""
        self.steps = asyncio.Semaphore(0)
        return self.steps

    async def claim(self, queue: Queue, claim: UUID, most: int) -> Claimed:
        self.asked_for.append(most)
        if self.claim_fault is not None:
            fault, self.claim_fault = self.claim_fault, None
            raise fault
        taken = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        await self.claimable.wait()
        await asyncio.sleep(0)
        self.claims.append(taken)
        self.claim_ids.append(claim)
        held = [
            Held(Lease(Stage.RUN, item, claim), self.line_of(item), item)
            for item in taken
            if item not in self.nothing
        ]
        return Claimed(len(taken), held)

    async def work(self, held: Held, slot: Slot) -> tuple[str, int]:
        try:
            async with slot:
                outcome = await self._exchange(held.payload)
        except asyncio.CancelledError:
            return ("not begun", held.payload)
        self.judging += 1
        await self.judged.wait()
        self.judging -= 1
        return outcome

    async def _exchange(self, item: int) -> tuple[str, int]:
        self.begun.append(item)
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await (self.steps.acquire() if self.steps else self.go.wait())
            await asyncio.sleep(self.call_s)
            if item in self.work_fails:
                raise KeyError(item)
        except asyncio.CancelledError:
            self.cancelled.append(item)
            return ("interrupted", item)
        finally:
            self.at_work -= 1
        return ("done", item)

    async def finish(self, outcome: tuple[str, int]) -> None:
        await asyncio.sleep(0)
        if outcome[1] in self.finish_fails:
            raise ValueError(outcome)
        if self.slow.get(outcome[1]):
            self.slow[outcome[1]] -= 1
            raise psycopg.errors.QueryCanceled("statement timeout")
        if self.refusals.get(outcome[1]):
            self.refusals[outcome[1]] -= 1
            raise psycopg.errors.UntranslatableCharacter(outcome[0])
        self.finished.append(outcome[1])
        self.written[outcome[1]] = outcome[0]

    def refused(self, outcome: tuple[str, int], exc: Exception) -> tuple[str, int]:
        assert str(exc) == outcome[0]
        return (f"less than {outcome[0]}", outcome[1])

    async def release(self, held: Sequence[Held]) -> None:
        await asyncio.sleep(0)
        self.released += [one.payload for one in held]


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


class FakeAccess:
    """An engine that may be given as many jobs as a test says."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.thread = threading.get_ident()

    def room(self, waiting: int, engaged: int) -> int | None:
        assert threading.get_ident() == self.thread, "its counts are the loop's alone"
        return None if self.most is None else self.most - waiting - engaged


class Rig:
    """A pump with everything around it; its first queue is `queue`, with `stage` behind it."""

    def __init__(self, slots: int, *, loads_models: bool) -> None:
        self.db = FakeDatabase(flow__stopped=self._stopped, flow__served=self._served)
        self.slots = Slots(slots)
        self.leases = Leases("postgresql://somewhere/docmill", OWNER)
        self.wanted = 0
        self.stopped: set[int] = set()
        self.served: set[str] = set()
        self.pump = Pump(
            "local",
            self.slots,
            self.leases,
            self.db,  # type: ignore[arg-type]
            loads_models=loads_models,
            wanted=self._want,
        )
        self.stage = FakeStage()
        self.access = FakeAccess()
        self.queue = self.lane("A", self.stage, self.access)

    def lane(self, model: str, stage: FakeStage, access: FakeAccess | None = None) -> str:
        """One more queue; its name."""
        queue = run_queue(model)
        self.pump.serve([Lane(queue, stage, access)])
        return queue.name

    def ring(self, items: Iterable[int]) -> None:
        """So much stands in the first queue, and a message says so."""
        self.stage.waiting.extend(items)
        self.pump.ring(self.queue)

    def _want(self) -> None:
        self.wanted += 1

    def _stopped(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"id": line} for line in params["lines"] if line in self.stopped]

    def _served(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"queue": queue} for queue in self.served]


@asynccontextmanager
async def rig(slots: int = 2, *, loads_models: bool = False) -> AsyncIterator[Rig]:
    made = Rig(slots, loads_models=loads_models)
    running = asyncio.create_task(made.pump.run())
    await settle()
    try:
        yield made
        assert not running.done(), running
    finally:
        made.stage.go.set()
        await made.pump.drain(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@virtual_time
async def test_a_message_is_followed_until_the_queue_is_empty():
    async with rig() as r:
        r.ring(range(100))
        await settle()
        await passes(lambda: len(r.stage.finished) == 100, "all are finished")
        assert sorted(r.stage.finished) == list(range(100))
        assert r.stage.claims[-1] == []
        assert r.stage.released == []


@virtual_time
async def test_a_queue_found_empty_is_left_alone_until_the_next_message_and_that_is_wanted_again():
    async with rig() as r:
        r.ring([])
        await asyncio.sleep(60)
        assert (r.stage.claims, r.wanted) == ([[]], 1)
        r.stage.waiting.append(1)
        await asyncio.sleep(60)
        assert r.stage.finished == []
        r.pump.ring(r.queue)
        await asyncio.sleep(1)
        assert r.stage.finished == [1]


@virtual_time
async def test_what_needs_nothing_done_does_not_end_the_claiming():
    async with rig() as r:
        r.stage.nothing = {0, 1, 2, 3}
        r.ring(range(6))
        await asyncio.sleep(1)
        assert r.stage.finished == [4, 5]


@virtual_time
async def test_each_claim_has_an_id_of_its_own():
    async with rig() as r:
        r.ring(range(100))
        await asyncio.sleep(1)
        assert len(set(r.stage.claim_ids)) == len(r.stage.claim_ids) > 10


@virtual_time
async def test_a_message_of_a_queue_that_is_not_served_does_nothing():
    async with rig() as r:
        r.pump.ring("local/other")
        await asyncio.sleep(5)
        assert r.stage.claims == []
        assert not r.pump.wants("local/other")


@virtual_time
async def test_a_queue_that_is_served_already_stays_as_it_is():
    async with rig() as r:
        r.pump.serve([Lane(run_queue("A"), FakeStage(), None), Lane(INGEST, FakeStage())])
        r.ring([1])
        await asyncio.sleep(1)
        assert r.stage.finished == [1]
        assert set(r.pump.lanes) == {"local/A", "ingest"}


@given(st.lists(st.lists(st.integers(), max_size=20), min_size=1, max_size=4), st.integers(1, 5))
@settings(deadline=None, max_examples=25)
def test_everything_is_worked_on_once_and_never_more_at_once_than_there_are_slots(queues, slots):
    async def scene() -> list[FakeStage]:
        async with rig(slots) as r:
            stages = [FakeStage(items) for items in queues]
            running: list[int] = []
            for number, stage in enumerate(stages):
                stage.call_s = 0.01 * (number + 1)
                r.pump.ring(r.lane(f"model-{number}", stage))
            for _ in range(1_000):
                running.append(sum(stage.at_work for stage in stages))
                await asyncio.sleep(0.01)
            assert max(running) <= slots
            return stages

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        stages = runner.run(scene())
    for stage, items in zip(stages, queues, strict=True):
        assert Counter(stage.finished) == Counter(items)


# --- how much is claimed --------------------------------------------------------------------------


@virtual_time
async def test_no_more_is_claimed_than_the_slots_and_a_little_ahead_hold():
    async with rig(3) as r:
        r.stage.go.clear()
        r.ring(range(100))
        await asyncio.sleep(60)
        assert r.stage.at_work == 3
        assert len(r.stage.claimed) == r.slots.size + r.slots.ahead


@virtual_time
async def test_a_slot_is_free_for_the_next_while_an_answer_is_looked_at():
    async with rig(1) as r:
        r.stage.judged.clear()
        r.ring([1, 2])
        await passes(lambda: r.stage.judging == 2, "both are looked at")
        assert r.stage.most_at_work == 1
        assert r.stage.finished == []
        r.stage.judged.set()
        await asyncio.sleep(1)
        assert r.stage.finished == [1, 2]


@virtual_time
async def test_what_is_looked_at_counts_as_claimed_so_that_it_cannot_pile_up():
    async with rig(2) as r:
        r.stage.judged.clear()
        r.ring(range(20))
        await asyncio.sleep(10)
        assert r.stage.judging == len(r.stage.claimed) == 4
        r.stage.judged.set()


@virtual_time
async def test_a_claim_waits_until_half_of_what_is_held_ahead_is_free():
    async with rig(4) as r:
        steps = r.stage.in_steps()
        r.ring(range(100))
        await passes(lambda: len(r.stage.claimed) == 8, "slots and as many again")
        r.stage.claims.clear()
        steps.release()
        await passes(lambda: len(r.stage.finished) == 1, "one is done")
        await asyncio.sleep(0.5)
        assert r.stage.claims == []
        steps.release()
        await passes(lambda: r.stage.claims, "a claim")
        assert list(map(len, r.stage.claims)) == [2]
        for _ in range(98):
            steps.release()


@virtual_time
async def test_every_slot_that_is_free_is_claimed_for_at_once():
    async with rig(4) as r:
        r.stage.go.clear()
        r.ring([1])
        await asyncio.sleep(1)
        r.ring([2])
        await settle()
        assert r.stage.begun == [1, 2]


@virtual_time
async def test_a_claim_asks_for_no_more_than_a_micro_batch():
    async with rig(100) as r:
        r.ring(range(300))
        await asyncio.sleep(1)
        assert len(r.stage.finished) == 300
        assert max(r.stage.asked_for) == MICRO_BATCH


@virtual_time
async def test_where_the_engine_may_be_given_nothing_nothing_is_claimed():
    async with rig() as r:
        r.access.most = 0
        r.ring([1, 2])
        await asyncio.sleep(600)
        assert r.stage.asked_for == []
        r.access.most = None
        r.pump.look_again()
        await settle()
        assert sorted(r.stage.finished) == [1, 2]


@virtual_time
async def test_an_engine_that_may_be_given_work_again_is_noticed_without_being_told():
    async with rig() as r:
        r.access.most = 0
        r.ring([1])
        await asyncio.sleep(10)
        r.access.most = None
        await asyncio.sleep(CONTROL_S + 0.1)
        assert r.stage.finished == [1]


@virtual_time
async def test_where_one_job_may_go_through_one_goes_through():
    async with rig(4) as r:
        r.access.most = 1
        steps = r.stage.in_steps()
        r.ring(range(5))
        for done in range(5):
            await asyncio.sleep(10)
            assert len(r.stage.begun) == done + 1
            steps.release()


@virtual_time
async def test_one_job_means_one_of_all_queues_of_that_model():
    """Half open after an outage: classify and run try the same model, and it is one model."""
    async with rig(4) as r:
        classify = FakeStage([9])
        queue = Queue(Stage.CLASSIFY, "local", "A")
        r.pump.serve([Lane(queue, classify, r.access)])
        r.access.most = 1
        r.stage.go.clear()
        classify.go.clear()
        r.ring([1])
        r.pump.ring(queue.name)
        await asyncio.sleep(10)
        assert len(r.stage.begun) + len(classify.begun) == 1
        r.stage.go.set()
        classify.go.set()
        await asyncio.sleep(10)
        assert (r.stage.finished, classify.finished) == ([1], [9])


# --- which messages are of use --------------------------------------------------------------------


@virtual_time
async def test_a_queue_that_is_known_to_hold_something_needs_no_message():
    async with rig() as r:
        assert r.pump.wants(r.queue)
        r.stage.go.clear()
        r.ring(range(10))
        assert not r.pump.wants(r.queue)
        r.stage.go.set()
        await asyncio.sleep(1)
        assert r.pump.wants(r.queue)


class HeldUp(FakeStage):
    """A model that may not be asked for: its jobs wait for leave, and take no slot."""

    async def work(self, held: Held, slot: Slot) -> tuple[str, int]:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return ("not begun", held.payload)


class LateAccess(FakeAccess):
    """It is known from some moment on that one of its jobs may wait for leave, and no more."""

    held_up = False

    def room(self, waiting: int, engaged: int) -> int | None:
        return 1 - waiting if self.held_up else None


@virtual_time
async def test_a_model_that_may_not_be_asked_holds_no_place_that_another_could_use():
    async with rig() as r:
        access, paused, other = LateAccess(), HeldUp(range(50)), FakeStage(range(100, 110))
        first, second = r.lane("P", paused, access), r.lane("Q", other, FakeAccess())
        r.pump.ring(first)
        await asyncio.sleep(1)
        access.held_up = True
        r.pump.ring(second)
        await asyncio.sleep(5)
        assert sorted(other.finished) == list(range(100, 110))
        assert len(paused.claimed) - len(paused.released) == 1


class MetMeanwhile(FakeAccess):
    """Its limit is met between a look and the claim that follows from it."""

    is_met = False

    def room(self, waiting: int, engaged: int) -> int | None:
        if self.is_met:
            return -waiting - engaged - 5
        asyncio.get_running_loop().call_soon(setattr, self, "is_met", True)
        return 5


@virtual_time
async def test_a_claim_is_for_as_many_as_were_wanted_when_it_was_decided():
    async with rig(slots=5) as r:
        other = FakeStage(range(100))
        r.pump.ring(r.lane("Q", other, MetMeanwhile()))
        await asyncio.sleep(5)
        assert other.asked_for == [5]


@virtual_time
async def test_messages_for_an_engine_that_is_not_asked_are_left_to_others():
    async with rig() as r:
        r.access.most = 0
        await asyncio.sleep(CONTROL_S)
        assert not r.pump.wants(r.queue)
        r.access.most = None
        r.pump.look_again()
        assert r.pump.wants(r.queue)


@virtual_time
async def test_whoever_fetches_may_ask_from_a_thread_of_its_own():
    async with rig() as r:
        answers: list[bool] = []
        asking = threading.Thread(target=lambda: answers.append(r.pump.wants(r.queue)))
        asking.start()
        asking.join()
        assert answers == [True]


@virtual_time
async def test_a_pump_that_stops_wants_nothing_more():
    async with rig() as r:
        await r.pump.drain(0)
        assert not r.pump.wants(r.queue)
        r.ring([1, 2, 3])
        await asyncio.sleep(10)
        assert r.stage.asked_for == []


# --- which queue is next --------------------------------------------------------------------------


class TwoModels:
    """Two queues that never end, on an engine that loads one model at a time."""

    def __init__(self, r: Rig) -> None:
        self.r = r
        self.a, self.b = r.stage, FakeStage(range(10**6))
        self.a.waiting.extend(range(10**6))
        self.other = r.lane("B", self.b, FakeAccess())
        self.a.call_s = self.b.call_s = 0.5

    async def changes(self, seconds: float) -> list[float]:
        """The moments at which it changed from one model to the other."""
        at, last = [], ""
        for _ in range(round(seconds / 0.25)):
            asked = "A" if self.r.pump._loaded == "A" else "B"
            if last and asked != last:
                at.append(now())
            last = asked
            await asyncio.sleep(0.25)
        return at


@virtual_time
async def test_an_engine_keeps_to_its_model_while_that_has_work_and_changes_when_another_waits():
    async with rig(loads_models=True) as r:
        both = TwoModels(r)
        r.pump.ring(r.queue)
        await asyncio.sleep(1)
        r.pump.ring(both.other)
        await asyncio.sleep(MAX_MODEL_WAIT_S - 1)
        assert both.b.begun == []
        await asyncio.sleep(JITTER_S + 3)
        assert both.b.begun


@virtual_time
async def test_two_models_with_endless_work_change_places_no_more_often_than_they_must():
    async with rig(loads_models=True) as r:
        both = TwoModels(r)
        r.pump.ring(r.queue)
        r.pump.ring(both.other)
        at = await both.changes(600)
        assert 600 / (MAX_MODEL_WAIT_S + JITTER_S) - 2 <= len(at) <= 600 / MAX_MODEL_WAIT_S
        assert all(later - earlier >= MAX_MODEL_WAIT_S - 2 for earlier, later in pairwise(at))


@virtual_time
async def test_an_engine_whose_other_model_another_worker_serves_stays_with_its_own():
    async with rig(loads_models=True) as r:
        both = TwoModels(r)
        r.served = {both.other}
        r.pump.ring(r.queue)
        await asyncio.sleep(1)
        r.pump.ring(both.other)
        assert await both.changes(600) == []
        assert both.b.begun == []
        assert r.db.given is not None
        r.served = set()
        assert await both.changes(2 * MAX_MODEL_WAIT_S)


@virtual_time
async def test_an_engine_that_loads_nothing_serves_its_queues_in_turns():
    async with rig(loads_models=False) as r:
        both = TwoModels(r)
        r.pump.ring(r.queue)
        r.pump.ring(both.other)
        await asyncio.sleep(60)
        assert len(both.a.finished) == pytest.approx(len(both.b.finished), abs=4)


# --- faults of ours -------------------------------------------------------------------------------


@virtual_time
async def test_an_exception_in_work_costs_its_item_alone():
    async with rig() as r:
        r.stage.work_fails = set(range(0, 40, 2))
        r.ring(range(40))
        await asyncio.sleep(1)
        assert sorted(r.stage.finished) == list(range(1, 40, 2))
        assert r.pump.in_use == 0
        r.ring([99])
        await asyncio.sleep(1)
        assert 99 in r.stage.finished


@virtual_time
async def test_an_exception_in_finish_costs_its_item_alone():
    async with rig() as r:
        r.stage.finish_fails = {1, 2, 3}
        r.ring(range(6))
        await asyncio.sleep(1)
        assert sorted(r.stage.finished) == [0, 4, 5]
        assert not any(r.leases.is_ours(Lease(Stage.RUN, 1, one)) for one in r.stage.claim_ids)


@virtual_time
async def test_what_postgres_refuses_is_written_as_less_and_no_item_is_worked_on_twice():
    async with rig() as r:
        r.stage.refusals = {1: 1, 2: 2, 3: 3}
        r.ring(range(5))
        await asyncio.sleep(1)
        done, less = "done", "less than done"
        assert r.stage.written == {0: done, 1: less, 2: f"less than {less}", 4: done}
        assert sorted(r.stage.begun) == [0, 1, 2, 3, 4]


@virtual_time
async def test_what_took_postgres_too_long_is_written_again_as_it_is():
    async with rig() as r:
        r.stage.slow = {1: 3}
        r.ring(range(2))
        await asyncio.sleep(4 * AFTER_FAULT_S + 1)
        assert r.stage.written == {0: "done", 1: "done"}
        assert sorted(r.stage.begun) == [0, 1]


@virtual_time
async def test_an_exception_in_claim_is_said_and_waited_out_for_a_moment():
    async with rig() as r:
        r.stage.claim_fault = psycopg.errors.UndefinedColumn("a statement of ours is wrong")
        began = now()
        r.ring([1])
        await asyncio.sleep(10)
        assert r.stage.finished == []
        r.ring([2])
        await asyncio.sleep(1)
        assert r.stage.finished == [1, 2]
        assert now() - began >= AFTER_FAULT_S


@virtual_time
async def test_a_claim_loop_that_ends_ends_the_pump():
    made = Rig(2, loads_models=False)
    made.access.room = None  # type: ignore[method-assign,assignment]
    running = asyncio.create_task(made.pump.run())
    made.ring([1])
    with pytest.raises(ExceptionGroup):
        await running


@virtual_time
async def test_a_control_loop_that_ends_ends_the_pump():
    made = Rig(2, loads_models=False)
    made.stage.go.clear()
    running = asyncio.create_task(made.pump.run())
    made.ring(range(4))
    await settle()
    made.db.fault = psycopg.errors.UndefinedTable("lines")
    with pytest.raises(ExceptionGroup):
        await running
    await made.pump.drain(0)


# --- leases ---------------------------------------------------------------------------------------


@virtual_time
async def test_what_is_carried_is_renewed_from_before_its_claim_to_the_end_of_its_writing():
    async with rig() as r:
        held: list[bool] = []
        r.stage.claimable.clear()
        r.ring([1])
        await asyncio.sleep(5)
        r.stage.claimable.set()
        finish = r.stage.finish

        async def watched(outcome):
            held.append(r.leases.is_ours(lease()))
            await finish(outcome)

        def lease() -> Lease:
            return Lease(Stage.RUN, 1, r.stage.claim_ids[0])

        r.stage.finish = watched  # type: ignore[method-assign]
        r.stage.go.clear()
        await passes(lambda: r.stage.at_work, "it is at work")
        await asyncio.sleep(LEASE_S - 5 - 0.5)
        assert r.leases.is_ours(lease())
        r.stage.go.set()
        await asyncio.sleep(0.1)
        assert held == [True]
        assert not r.leases.is_ours(lease())


@virtual_time
async def test_a_lost_lease_cancels_its_work_and_nothing_else():
    async with rig(3) as r:
        r.stage.go.clear()
        r.ring([1, 2, 3])
        await settle()
        r.leases._give_up([lease for lease in r.leases._seen if lease.item == 2])
        await settle()
        assert r.stage.cancelled == [2]
        assert r.stage.finished == [2]
        r.stage.go.set()
        await asyncio.sleep(1)
        assert sorted(r.stage.finished) == [1, 2, 3]


@virtual_time
async def test_a_call_is_not_begun_under_a_lease_that_has_lapsed():
    """The process was stopped, and no loop has had its turn since."""
    async with rig(1) as r:
        r.stage.go.clear()
        r.ring([1, 2])
        await settle()
        assert r.stage.begun == [1]
        for lease in r.leases._seen:
            r.leases._seen[lease] -= LEASE_S
        r.stage.go.set()
        await settle()
        assert (r.stage.begun, sorted(r.stage.finished)) == ([1], [1, 2])
        assert r.pump.in_use == 0


@virtual_time
async def test_what_a_job_has_paid_for_is_written_when_its_lease_lapses_before_its_next_call():
    async with rig(1) as r:
        paid: list[int] = []

        async def two_calls(held: Held, slot: Slot) -> tuple[str, int]:
            try:
                async with slot:
                    paid.append(held.payload)
                r.leases._seen[held.lease] -= LEASE_S
                async with slot:
                    paid.append(held.payload)
            except asyncio.CancelledError:
                return ("interrupted", held.payload)
            return ("done", held.payload)

        r.stage.work = two_calls  # type: ignore[method-assign]
        r.ring([7])
        await asyncio.sleep(1)
        assert paid == [7]
        assert r.stage.finished == [7]
        assert r.pump.in_use == 0


@virtual_time
async def test_an_item_that_comes_back_at_once_is_not_mistaken_for_its_former_self():
    """It is claimed anew by this process before the task that wrote it has quite ended."""
    async with rig(1) as r:
        finish = r.stage.finish

        async def and_again(outcome):
            await finish(outcome)
            if len(r.stage.finished) < 3:
                r.ring([1])
                await passes(lambda: len(r.stage.claimed) > len(r.stage.finished), "a claim")

        r.stage.finish = and_again  # type: ignore[method-assign]
        r.ring([1])
        await asyncio.sleep(5)
        assert r.stage.begun == r.stage.finished == [1, 1, 1]
        assert r.stage.cancelled == []


# --- pause and cancel -----------------------------------------------------------------------------


@virtual_time
async def test_what_has_not_begun_and_stands_in_a_closed_line_is_given_back_and_the_rest_is_not():
    async with rig(2) as r:
        r.stage.line_of = lambda item: 1 if item % 2 else 2
        r.stage.go.clear()
        r.ring([0, 1, 2, 3])
        await settle()
        r.stopped = {1}
        await asyncio.sleep(2 * CONTROL_S)
        assert (r.stage.released, r.stage.cancelled) == ([3], [])
        r.stage.go.set()
        await asyncio.sleep(1)
        assert sorted(r.stage.finished) == [0, 1, 2]


@virtual_time
async def test_what_was_given_back_makes_room_and_is_no_longer_ours():
    async with rig(1) as r:
        r.stage.line_of = lambda item: item
        r.stage.go.clear()
        r.ring([1, 2, 3])
        await settle()
        assert r.stage.claimed == [1, 2]
        r.stopped = {2}
        await asyncio.sleep(CONTROL_S + 0.1)
        assert r.stage.claimed == [1, 2, 3]
        assert r.stage.released == [2]
        assert {lease.item for lease in r.leases._seen} == {1, 3}


@virtual_time
async def test_where_nothing_waits_for_a_slot_nobody_asks_which_lines_are_closed():
    async with rig(2) as r:
        r.stage.go.clear()
        r.ring([1, 2])
        await asyncio.sleep(60)
        assert r.db.ran == []


@virtual_time
async def test_an_outage_of_postgres_does_not_end_the_control():
    async with rig() as r:
        r.db.fault = psycopg.OperationalError("away")
        r.stage.go.clear()
        r.ring(range(4))
        await asyncio.sleep(60)
        r.db.fault = None
        r.stopped = {LINE}
        await asyncio.sleep(2 * CONTROL_S)
        assert sorted(r.stage.released) == [2, 3]


# --- drain ----------------------------------------------------------------------------------------


@virtual_time
async def test_drain_lets_running_work_finish_and_gives_back_what_has_not_begun():
    async with rig(2) as r:
        r.stage.go.clear()
        r.ring(range(50))
        await settle()
        drain = asyncio.create_task(r.pump.drain(5))
        await settle()
        r.stage.go.set()
        await drain
        assert sorted(r.stage.finished) == sorted(r.stage.begun) == [0, 1]
        assert r.stage.cancelled == []
        assert sorted(r.stage.released) == [2, 3]


@virtual_time
async def test_drain_cancels_what_does_not_finish_in_its_grace_and_keeps_its_outcome():
    async with rig(2) as r:
        r.stage.go.clear()
        r.ring([1, 2])
        await settle()
        began = now()
        await r.pump.drain(30)
        assert now() - began == pytest.approx(30, abs=0.1)
        assert sorted(r.stage.cancelled) == sorted(r.stage.finished) == [1, 2]


@virtual_time
async def test_drain_waits_for_a_claim_under_way_and_gives_its_leases_back():
    async with rig() as r:
        r.stage.claimable.clear()
        r.ring([1, 2])
        await settle()
        drain = asyncio.create_task(r.pump.drain(10))
        await asyncio.sleep(5)
        assert not drain.done()
        r.stage.claimable.set()
        await drain
        assert (r.stage.begun, sorted(r.stage.released)) == ([], [1, 2])
        assert r.leases._seen == {}


@virtual_time
async def test_drain_right_after_a_claim_gives_back_what_has_not_even_begun_to_wait():
    async with rig() as r:
        r.stage.claimable.clear()
        r.ring([1, 2])
        await settle()
        r.stage.claimable.set()
        await r.pump.drain(1)
        assert (r.stage.begun, sorted(r.stage.released)) == ([], [1, 2])


@virtual_time
async def test_what_is_being_written_is_not_given_back_though_it_needed_no_slot():
    async with rig(1) as r:
        writing, written = asyncio.Event(), asyncio.Event()

        async def known(held: Held, slot: Slot) -> tuple[str, int]:
            return ("done", held.payload)

        async def slowly(outcome: tuple[str, int]) -> None:
            writing.set()
            await written.wait()
            r.stage.finished.append(outcome[1])

        r.stage.work, r.stage.finish = known, slowly  # type: ignore[method-assign]
        r.ring([7])
        await writing.wait()
        drain = asyncio.create_task(r.pump.drain(5))
        await settle()
        written.set()
        await drain
        assert (r.stage.finished, r.stage.released) == ([7], [])


@virtual_time
async def test_a_drain_ends_in_its_time_though_nothing_can_be_given_back():
    async with rig(1) as r:

        async def never(held: Sequence[Held]) -> None:
            await asyncio.Event().wait()

        r.stage.release = never  # type: ignore[method-assign]
        r.stage.go.clear()
        r.ring([1, 2])
        await settle()
        began = now()
        await r.pump.drain(2)
        assert now() - began <= 2 + LAST_WRITES_S
        assert r.stage.cancelled == [1]


@virtual_time
async def test_a_drain_ends_in_its_time_though_nothing_can_be_written():
    async with rig(1) as r:

        async def never(outcome: tuple[str, int]) -> None:
            await asyncio.Event().wait()

        r.stage.finish = never  # type: ignore[method-assign]
        r.ring([1])
        await settle()
        began = now()
        await r.pump.drain(2)
        assert now() - began <= 2 + LAST_WRITES_S


@virtual_time
async def test_drain_twice_does_no_harm():
    async with rig() as r:
        r.ring([1])
        await asyncio.sleep(1)
        await r.pump.drain(0)
        await r.pump.drain(0)
        assert r.stage.finished == [1]


def test_patience_differs_from_worker_to_worker():
    patience = {Rig(1, loads_models=True).pump._patience_s for _ in range(20)}
    assert len(patience) > 10
    assert all(0 <= one - MAX_MODEL_WAIT_S <= JITTER_S for one in patience)
