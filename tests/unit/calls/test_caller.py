"""A call that was reserved and not made is given back, wherever its making was cut short."""

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from uuid import UUID

import pytest

from tests.factories import CALL, an_access, the_frontier
from tests.fakes import FakeJournal, FakeReservations
from tests.stubs.fake import FakeEngine
from worker.calls.caller import REPAIR, WHOLE, Caller
from worker.calls.ledger import KnownAnswer
from worker.calls.reservations import NotReserved
from worker.flow.stage import Slot
from worker.llm.engine import EngineError, Message, Request, Trouble

REQUEST = Request("m", (Message("user", "x"),), max_tokens=5, context_tokens=100)


class Turnstile:
    """A rate limit that lets nobody through until it is told to."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.told: list[str] = []

    @asynccontextmanager
    async def leave(self, ask_id: int, request: Request) -> Any:
        self.reached.set()
        await self.open.wait()
        try:
            yield self
        except BaseException as exc:
            self.told.append(type(exc).__name__)
            raise
        self.told.append("left")

    async def sent(self) -> None:
        self.told.append("sent")

    def answered(self, completion: object) -> None:
        self.told.append("answered")

    def ahead(self, model: str) -> int | None:
        return None

    async def close(self) -> None:
        pass


class SlowJournal(FakeJournal):
    """A disk that takes its time over every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.written = asyncio.Event()

    async def append(self, call_id: UUID, call: Any) -> None:
        self.reached.set()
        await self.written.wait()
        await super().append(call_id, call)


class FullJournal(FakeJournal):
    async def append(self, call_id: UUID, call: Any) -> None:
        raise OSError("No space left on device")


class OneSlot(asyncio.Lock):
    """A lock that is a slot; says when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def __aenter__(self) -> None:
        self.reached.set()
        await super().__aenter__()


def a_caller(
    turnstile: Turnstile | None = None, *, slot: Slot | None = None, **more: Any
) -> Caller:
    """Of a job whose claim reserved CALL."""
    admission = {"admission": turnstile} if turnstile is not None else {}
    engine = more.pop("engine", FakeEngine(models=("m",)))
    access = an_access(engine, the_frontier(), **admission, **more)
    return Caller(access, slot or nullcontext(), 1, CALL, {})


async def soon(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), timeout=5)


async def stopped(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("purpose", [WHOLE, REPAIR])
async def test_a_stop_while_waiting_for_the_limit_leaves_only_the_claims_call(purpose):
    turnstile, reserve = Turnstile(), FakeReservations()
    caller = a_caller(turnstile, reserve=reserve)
    asked = asyncio.create_task(caller.ask(REQUEST, "v", purpose))
    await soon(turnstile.reached)
    await stopped(asked)
    assert (reserve.wanted, caller.calls, caller.unused) == ([], [], [CALL])
    assert turnstile.told == []


async def test_a_call_that_is_not_covered_gives_its_turn_back_unused():
    turnstile = Turnstile()
    turnstile.open.set()
    caller = a_caller(turnstile, reserve=FakeReservations("batch"))
    with pytest.raises(NotReserved):
        await caller.ask(REQUEST, "v", REPAIR)
    assert turnstile.told == ["NotReserved"]
    assert caller.calls == []


async def test_a_stop_while_waiting_for_a_slot_leaves_the_call_unmade_and_uncounted():
    turnstile, slot = Turnstile(), OneSlot()
    turnstile.open.set()
    caller = a_caller(turnstile, slot=slot)
    await slot.acquire()
    asked = asyncio.create_task(caller.ask(REQUEST, "v"))
    await soon(slot.reached)
    await stopped(asked)
    assert (caller.calls, caller.unused) == ([], [CALL])
    assert turnstile.told == ["CancelledError"]


async def test_no_slot_is_held_while_a_call_waits_for_the_limit():
    turnstile, slot = Turnstile(), OneSlot()
    asked = asyncio.create_task(a_caller(turnstile, slot=slot).ask(REQUEST, "v"))
    await soon(turnstile.reached)
    assert not slot.locked()
    await stopped(asked)


async def test_the_limit_is_told_that_a_call_went_out_and_what_came_of_it():
    turnstile = Turnstile()
    turnstile.open.set()
    await a_caller(turnstile).ask(REQUEST, "v")
    assert turnstile.told == ["sent", "answered", "left"]
    engine = FakeEngine(models=("m",))
    engine.script.append(EngineError(Trouble.RATE_LIMITED, "slow down"))
    turnstile.told.clear()
    with pytest.raises(EngineError):
        await a_caller(turnstile, engine=engine).ask(REQUEST, "v")
    assert turnstile.told == ["sent", "EngineError"]


async def test_the_next_call_goes_out_while_an_answer_is_written_to_the_disk():
    slot, journal = OneSlot(), SlowJournal()
    asked = asyncio.create_task(a_caller(slot=slot, journal=journal).ask(REQUEST, "v"))
    await soon(journal.reached)
    assert not slot.locked()
    assert not asked.done()
    journal.written.set()
    await asked


async def test_a_stop_while_an_answer_is_written_does_not_lose_it():
    journal = SlowJournal()
    caller = a_caller(journal=journal)
    asked = asyncio.create_task(caller.ask(REQUEST, "v"))
    await soon(journal.reached)
    await stopped(asked)
    [row] = caller.calls
    assert (row.id, row.state, caller.unused) == (CALL, "settled", [])


async def test_an_answer_that_the_disk_does_not_take_is_used_all_the_same():
    caller = a_caller(journal=FullJournal())
    call_id, completion = await caller.ask(REQUEST, "v")
    [row] = caller.calls
    assert (call_id, row.id, row.state) == (CALL, CALL, "settled")
    assert completion.text == row.answer


async def test_an_answer_is_on_the_disk_before_anything_else_is_done_with_it():
    journal = FakeJournal()
    caller = a_caller(journal=journal)
    call_id, _ = await caller.ask(REQUEST, "v")
    assert journal.kept == {call_id: caller.calls[0]}


async def test_a_second_call_of_a_job_is_reserved_before_it_is_made():
    reserve = FakeReservations()
    caller = a_caller(reserve=reserve)
    first, _ = await caller.ask(REQUEST, "one")
    second, _ = await caller.ask(REQUEST, "two")
    assert first == CALL
    assert [wanted.id for wanted in reserve.wanted] == [second]
    assert reserve.wanted[0].purpose == WHOLE


async def test_a_repair_has_a_reservation_of_its_own_though_the_claims_call_was_not_needed():
    """It may cost more than the claim reserved: with an answer from before a crash."""
    reserve = FakeReservations()
    caller = a_caller(reserve=reserve)
    repair, _ = await caller.ask(REQUEST, "v", REPAIR)
    assert [wanted.id for wanted in reserve.wanted] == [repair]
    assert caller.unused == [CALL]


async def test_a_known_answer_uses_the_claims_call_up():
    caller = a_caller()
    known = KnownAnswer(UUID(int=9), {"total": "1"}, None)
    assert caller.reuse(known) == CALL
    assert caller.unused == []
    assert [(row.id, row.state, row.reused_from) for row in caller.calls] == [
        (CALL, "reused", UUID(int=9))
    ]


async def test_a_fault_of_ours_loses_the_call_that_was_open_and_no_other():
    caller = a_caller()
    caller.lose_open(KeyError("before any call"))
    assert caller.calls == []
    await caller.ask(REQUEST, "v")
    caller.lose_open(KeyError("after its row"))
    assert [row.state for row in caller.calls] == ["settled"]
