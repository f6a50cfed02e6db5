"""A stage that is cut off says so in its outcome, and leaves nothing behind that is not true."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.config import Config, EngineConfig
from models.words import Tier
from tests.stubs.fake import FakeEngine
from worker.calls.caller import Desk
from worker.calls.ledger import Ledger
from worker.calls.prices import PriceBook
from worker.classify.stage import ClassifyStage, Pair
from worker.db import Statement
from worker.flow.stage import Held
from worker.ingest.stage import IngestStage
from worker.llm.gate import Gate
from worker.read.kinds import PLAIN
from worker.site import EngineSite

OWNER = uuid4()


class FakeDatabase:
    """Remembers what it was told to run."""

    def __init__(self) -> None:
        self.ran: list[Statement] = []

    async def run_all(self, statements: Sequence[Statement]) -> list[Any]:
        self.ran += statements
        return []


class FakeJournal:
    """Keeps nothing."""

    def settled(self, call_ids: Any) -> None:
        assert list(call_ids) == []


def desk() -> Desk:
    engine = FakeEngine()
    site = EngineSite(Tier.LOCAL, EngineConfig(kind="ollama"), FakeEngine, "engine")

    async def reserve(call_id: UUID, *_: Any) -> None:
        raise AssertionError("the claim reserved it")

    return Desk(
        engine=engine,
        gate=Gate("engine", engine.health),
        journal=FakeJournal(),  # type: ignore[arg-type]
        ledger=Ledger(site, PriceBook(Config()), "m"),
        reserve=reserve,  # type: ignore[arg-type]
    )


async def cut_off(work: "asyncio.Task[Any]") -> Any:
    work.cancel()
    return await work


async def test_a_pair_that_is_cut_off_before_its_slot_leaves_no_call_behind() -> None:
    db, slot = FakeDatabase(), asyncio.Lock()
    stage = ClassifyStage(db, desk(), Config(), OWNER)  # type: ignore[arg-type]
    pair = Pair(uuid4(), 1, "Find the total.", "Invoice", attempts=1, call_id=uuid4())
    await slot.acquire()
    work = asyncio.create_task(stage.work(Held(1, pair.key, 1, pair), slot))
    await asyncio.sleep(0)
    await stage.finish(await cut_off(work))
    assert [name for name, _ in db.ran] == ["drop_calls", "retry_pending"]
    assert db.ran[0][1] == {"ids": [pair.call_id]}


async def test_a_document_that_is_cut_off_while_it_is_cut_up_goes_back_in_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    db, begun, goes_on = FakeDatabase(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slowly(*_: Any) -> None:
        loop.call_soon_threadsafe(begun.set)
        goes_on.wait(5)

    stage = IngestStage(db, None, Config(), OWNER)  # type: ignore[arg-type]
    monkeypatch.setattr(stage, "_ingested", slowly)
    row = {"id": 7, "media_type": PLAIN, "path": "a.txt", "data": b"words", "kills": 0}
    work = asyncio.create_task(stage.work(Held(7, 7, 1, row), nullcontext()))
    await asyncio.wait_for(begun.wait(), timeout=5)
    await stage.finish(await cut_off(work))
    goes_on.set()
    assert db.ran == [("release_documents", {"ids": [7], "owner": OWNER})]
