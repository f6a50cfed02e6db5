"""A call that was reserved and not made is given back, wherever its making was cut short."""

import asyncio
from contextlib import nullcontext
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.config import Config, EngineConfig
from models.words import Tier
from tests.stubs.fake import FakeEngine
from worker.calls.caller import Asking, Desk, NotReserved
from worker.calls.ledger import Ledger
from worker.calls.prices import PriceBook
from worker.flow.stage import Slot
from worker.llm.engine import EngineError, Message, Request
from worker.llm.gate import Gate
from worker.site import EngineSite

REQUEST = Request("m", (Message("user", "x"),), max_tokens=5, context_tokens=100)


class Turnstile:
    """A rate limit that lets nobody through until it is told to."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.given_back = 0
        self.counted = 0

    async def grant(self, *_: Any) -> str:
        self.reached.set()
        await self.open.wait()
        return "grant"

    def unsent(self, grant: str) -> None:
        self.given_back += 1

    def failed(self, grant: str, error: EngineError | None) -> None:
        self.counted += 1


class FakeJournal:
    """A disk that takes its time over every answer."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.written = asyncio.Event()

    async def append(self, call_id: UUID, call: dict[str, Any]) -> None:
        self.reached.set()
        await self.written.wait()


SITE = EngineSite(
    Tier.LOCAL, EngineConfig(kind="openai", base_url="http://engine"), FakeEngine, "engine"
)


def asking(
    turnstile: Turnstile | None,
    written: list[UUID],
    refuse: bool = False,
    slot: Slot | None = None,
    journal: FakeJournal | None = None,
) -> Asking:
    async def reserve(call_id: UUID, *_: Any) -> None:
        if refuse:
            raise NotReserved("batch")
        written.append(call_id)

    engine = FakeEngine(models=("m",))
    desk = Desk(
        engine=engine,
        gate=Gate("engine", engine.health),
        journal=journal,  # type: ignore[arg-type]
        ledger=Ledger(SITE, PriceBook(Config()), "m"),
        reserve=reserve,  # type: ignore[arg-type]
        admission=turnstile,  # type: ignore[arg-type]
    )
    return Asking(desk, slot or nullcontext(), 1, uuid4(), {})


async def soon(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), timeout=5)


@pytest.mark.parametrize("purpose", ["run", "repair"])
async def test_a_stop_while_waiting_for_the_limit_leaves_only_the_claims_call(purpose: str) -> None:
    turnstile, written = Turnstile(), list[UUID]()
    job = asking(turnstile, written)
    [claims] = job.unused
    asked = asyncio.create_task(job.ask(REQUEST, "v", purpose))
    await soon(turnstile.reached)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (written, job.calls, job.unused) == ([], [], [claims])


async def test_a_call_that_is_not_covered_gives_its_grant_back() -> None:
    turnstile = Turnstile()
    turnstile.open.set()
    job = asking(turnstile, [], refuse=True)
    with pytest.raises(NotReserved):
        await job.ask(REQUEST, "v", "repair")
    assert turnstile.given_back == 1
    assert job.calls == []


class OneSlot(asyncio.Lock):
    """A lock that is a slot; says when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def __aenter__(self) -> None:
        self.reached.set()
        await super().__aenter__()


async def test_a_stop_while_waiting_for_a_slot_leaves_the_call_unmade_and_uncounted() -> None:
    turnstile, slot = Turnstile(), OneSlot()
    turnstile.open.set()
    job = asking(turnstile, [], slot=slot)
    [claims] = job.unused
    await slot.acquire()
    asked = asyncio.create_task(job.ask(REQUEST, "v"))
    await soon(slot.reached)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (job.calls, job.unused) == ([], [claims])
    assert (turnstile.given_back, turnstile.counted) == (1, 0)


async def test_no_slot_is_held_while_a_call_waits_for_the_limit() -> None:
    turnstile, slot = Turnstile(), OneSlot()
    asked = asyncio.create_task(asking(turnstile, [], slot=slot).ask(REQUEST, "v"))
    await soon(turnstile.reached)
    assert not slot.locked()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


async def test_the_next_call_goes_out_while_an_answer_is_written_to_the_disk() -> None:
    slot, journal = OneSlot(), FakeJournal()
    asked = asyncio.create_task(asking(None, [], slot=slot, journal=journal).ask(REQUEST, "v"))
    await soon(journal.reached)
    assert not slot.locked()
    assert not asked.done()
    journal.written.set()
    await asked


async def test_a_stop_while_an_answer_is_written_does_not_lose_it() -> None:
    journal = FakeJournal()
    job = asking(None, [], journal=journal)
    [claims] = job.unused
    asked = asyncio.create_task(job.ask(REQUEST, "v"))
    await soon(journal.reached)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    [row] = job.calls
    assert (row["id"], row["state"], job.unused) == (claims, "settled", [])


async def test_an_answer_that_the_disk_does_not_take_is_used_all_the_same() -> None:
    class FullJournal(FakeJournal):
        async def append(self, call_id: UUID, call: dict[str, Any]) -> None:
            raise OSError("No space left on device")

    job = asking(None, [], journal=FullJournal())
    [claims] = job.unused
    call_id, completion = await job.ask(REQUEST, "v")
    [row] = job.calls
    assert (call_id, row["id"], row["state"]) == (claims, claims, "settled")
    assert completion.text == row["answer"]
