"""A stage that is cut off says so in its outcome, and leaves nothing behind that is not true."""

import asyncio
import threading
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import psycopg
import pytest

from models.errors import ReadError
from models.kinds import PDF, PLAIN
from models.words import INGEST, Finder, Stage, TaskType
from tests.factories import CALL, OWNER, a_config, a_job, a_learned, an_access
from tests.fakes import FakeDatabase, FakeJournal
from tests.stubs.fake import FakeEngine, Hang
from worker.calls.ledger import CallRow, CallState
from worker.classify.cascade import Verdict
from worker.classify.stage import ClassifyStage, Pair, Sorted
from worker.configs import Configs
from worker.flow.slots import ReaderSlots
from worker.flow.stage import Held, Lease
from worker.ingest.stage import TOGETHER_BYTES, IngestStage, ReadOutcome
from worker.persist import Persist
from worker.rates import RateBook
from worker.read.kinds import NotNow, Text
from worker.run.claims import JobClaims
from worker.run.outcome import Done, Turn
from worker.run.stage import RunStage

CLAIM = UUID(int=1)


def a_run_stage(db: Any, access: Any, finish: Any) -> RunStage:
    return RunStage(access, JobClaims(db, access, Configs(db, 1, a_config()), OWNER), finish)


def held(stage: Stage, payload: Any) -> Held:
    return Held(Lease(stage, 7, CLAIM), 1, payload)


async def cut_off(work: "asyncio.Task[Any]") -> Any:
    await asyncio.sleep(0)
    work.cancel()
    return await work


def pair() -> Pair:
    row = {
        "id": 7,
        "key": UUID(int=9),
        "model": "phi4-mini",
        "call_id": CALL,
        "to_ask": True,
        "task": None,
        "attempts": 0,
        "learned_model": 0,
    }
    return Pair(
        row,
        {
            "text": "Find the total.",
            "json_schema": None,
            "place": None,
            "examples": None,
            "prompt": None,
        },
        a_config(),
        a_learned(),
    )


async def test_a_pair_that_is_cut_off_before_its_slot_leaves_no_call_behind():
    db, slot = FakeDatabase(), asyncio.Lock()
    stage = ClassifyStage(db, an_access(), Configs(db, 1, a_config()), OWNER)  # type: ignore[arg-type]
    await slot.acquire()
    work = asyncio.create_task(stage.work(held(Stage.CLASSIFY, pair()), slot))
    await stage.finish(await cut_off(work))
    assert db.ran == ["calls/drop", "classify/verdicts", "flow/release"]
    assert db.given("calls/drop") == {"ids": [CALL]}
    assert db.given("flow/release") == {
        "stages": [Stage.CLASSIFY],
        "items": [7],
        "owner": OWNER,
        "delay_s": None,
    }
    [row] = db.given("classify/verdicts")["rows"].obj
    assert (row.task, row.attempts, row.waits) == (None, 0, 1)


async def test_a_job_that_is_cut_off_before_its_slot_leaves_no_call_behind():
    db, slot = FakeDatabase(), asyncio.Lock()
    persist = Persist(db, FakeJournal(), OWNER)  # type: ignore[arg-type]
    stage = a_run_stage(db, an_access(), persist.finish)
    await slot.acquire()
    work = asyncio.create_task(stage.work(held(Stage.RUN, a_job()), slot))
    await stage.finish(await cut_off(work))
    assert db.ran == ["calls/drop", "run/finish"]
    assert db.given("calls/drop") == {"ids": [CALL]}
    [row] = db.given("run/finish")["rows"].obj
    assert (row.state, row.attempts, row.waits, row.delay_s) == ("ready", 0, 1, None)


async def test_a_job_that_is_cut_off_in_its_call_has_lost_that_call_and_no_attempt():
    db, engine = FakeDatabase(), FakeEngine(models=("phi4-mini",))
    engine.script.append(Hang())
    persist = Persist(db, FakeJournal(), OWNER)  # type: ignore[arg-type]
    stage = a_run_stage(db, an_access(engine), persist.finish)
    work = asyncio.create_task(stage.work(held(Stage.RUN, a_job()), nullcontext()))
    while not engine.in_flight:
        await asyncio.sleep(0)
    turn: Turn = await cut_off(work)
    assert [(call.id, call.state) for call in turn.calls] == [(CALL, "lost")]
    assert turn.unused == []
    await stage.finish(turn)
    assert db.ran == ["calls/settle", "run/finish"]
    [row] = db.given("run/finish")["rows"].obj
    assert (row.state, row.attempts, row.waits) == ("ready", 0, 1)


async def test_a_document_that_is_cut_off_while_it_is_cut_up_goes_back_in_line(
    monkeypatch: pytest.MonkeyPatch,
):
    db, begun, goes_on = FakeDatabase(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slowly(*_: Any) -> None:
        loop.call_soon_threadsafe(begun.set)
        goes_on.wait(5)

    configs = Configs(db, 1, a_config())
    stage = IngestStage(db, None, configs, OWNER, RateBook(), ReaderSlots(2))  # type: ignore[arg-type]
    monkeypatch.setattr(stage, "_ingested", slowly)
    row = {
        "id": 7,
        "media_type": PLAIN,
        "path": "a.txt",
        "is_text": True,
        "data": b"words",
        "kills": 0,
        "config": a_config(),
    }
    work = asyncio.create_task(stage.work(held(Stage.INGEST, row), nullcontext()))
    await asyncio.wait_for(begun.wait(), timeout=5)
    await stage.finish(await cut_off(work))
    goes_on.set()
    assert db.ran == ["flow/release"]
    assert db.given("flow/release") == {
        "stages": [Stage.INGEST],
        "items": [7],
        "owner": OWNER,
        "delay_s": None,
    }


def a_document(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "line_id": 1,
        "batch_id": 1,
        "learned_model": 0,
        "configuration_id": 1,
        "is_text": False,
        "media_type": PDF,
        "path": f"{number}.pdf",
        "data": None,
        "kills": 0,
        "config": a_config(),
        **more,
    }


class Refuses:
    """A reader that reads nothing."""

    def __init__(self, error: ReadError) -> None:
        self.error = error

    async def read(self, *_: object) -> Text:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kills", "wanted"),
    [
        (ReadError("damaged", "x"), 0, ("failed", 0, None)),
        (ReadError("needs_ocr", "x"), 0, ("needs_ocr", 0, None)),
        (ReadError("reader_crashed", "x"), 0, ("pending", 1, 1.0)),
        (ReadError("reader_crashed", "x"), 1, ("failed", 1, None)),
        (NotNow("engine_away", "x"), 0, ("pending", 0, 30.0)),
        (NotNow("engine_away", "x"), 9, ("pending", 0, 30.0)),
        (NotNow("engine_died", "x"), 0, ("pending", 1, 1.0)),
        (NotNow("engine_died", "x"), 1, ("failed", 1, None)),
    ],
)
async def test_what_becomes_of_a_document_that_was_not_read(error, kills, wanted):
    db = FakeDatabase(ingest__contents=[{"data": b"x"}])
    configs, reader = Configs(db, 1, a_config()), Refuses(error)
    stage = IngestStage(db, reader, configs, OWNER, RateBook(), ReaderSlots(2))  # type: ignore[arg-type]
    document = held(Stage.INGEST, a_document(7, kills=kills))
    await stage.finish(await stage.work(document, nullcontext()))
    [row] = db.given("ingest/fail")["rows"].obj
    assert (row["state"], row["kills"], row["delay_s"]) == wanted
    assert row["error"]["category"] == error.category


async def test_of_documents_that_need_a_reader_no_more_are_kept_than_readers_hold():
    rows = [a_document(number, is_text=number % 2 == 0) for number in range(20)]
    db, slots = FakeDatabase(flow__take=rows, ingest__claim=rows), ReaderSlots(2)
    slots.came(texts=9, others=0)
    stage = IngestStage(db, None, Configs(db, 1, a_config()), OWNER, RateBook(), slots)  # type: ignore[arg-type]
    claimed = await stage.claim(INGEST, CLAIM, 32)
    assert claimed.taken == 20
    assert [item.lease.item for item in claimed.held] == [*range(8), *range(8, 20, 2)]
    assert db.given("flow/release")["items"] == [9, 11, 13, 15, 17, 19]
    assert slots.ahead == 2


async def test_a_document_that_has_gone_is_left_alone():
    db = FakeDatabase()
    stage = IngestStage(db, None, Configs(db, 1, a_config()), OWNER, RateBook(), ReaderSlots(2))  # type: ignore[arg-type]
    outcome = await stage.work(held(Stage.INGEST, a_document(7)), nullcontext())
    assert (outcome.ingested, outcome.failure) == (None, None)


@pytest.mark.parametrize("size", [5, TOGETHER_BYTES + 1])
async def test_a_text_that_cannot_be_cut_up_has_failed_and_its_neighbours_go_on(size, monkeypatch):
    db = FakeDatabase()
    stage = IngestStage(db, None, Configs(db, 1, a_config()), OWNER, RateBook(), ReaderSlots(2))  # type: ignore[arg-type]

    def fails_at_7(row: Any, _: Any) -> None:
        if row["id"] == 7:
            raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(stage, "_ingested", fails_at_7)
    text = {"is_text": True, "media_type": PLAIN, "data": b"x" * size}
    works = [stage.work(held(Stage.INGEST, a_document(n, **text)), nullcontext()) for n in (6, 7)]
    fine, failed = await asyncio.gather(*works)
    assert (fine.document_id, fine.failure) == (6, None)
    assert failed.failure.category == "internal_error"
    assert "ZeroDivisionError" in failed.failure.message


@pytest.mark.parametrize("stage_name", ["ingest", "classify", "run"])
def test_what_postgres_refuses_has_failed_by_a_fault_of_ours_that_quotes_no_text(stage_name):
    configs = Configs(None, 1, a_config())  # type: ignore[arg-type]
    calls = [CallRow(CALL, CallState.SETTLED, answer="an answer")]
    stage, outcome = {
        "ingest": (
            IngestStage(None, None, configs, OWNER, RateBook(), ReaderSlots(2)),  # type: ignore[arg-type]
            ReadOutcome(7, None),
        ),
        "classify": (
            ClassifyStage(None, an_access(), configs, OWNER),  # type: ignore[arg-type]
            Sorted(pair(), Verdict(TaskType.SUMMARY, Finder.MODEL, 0.9), calls),
        ),
        "run": (
            a_run_stage(None, an_access(), None),
            Turn(5, 3, Done({}, None, None, CALL), calls),
        ),
    }[stage_name]
    refusal = psycopg.errors.UntranslatableCharacter("a text that nobody may see")
    once: Any = stage.refused(outcome, refusal)  # type: ignore[attr-defined]
    twice: Any = stage.refused(once, refusal)  # type: ignore[attr-defined]
    for refused in (once, twice):
        assert "internal_error" in repr(refused)
        assert "nobody may see" not in repr(refused)
    if stage_name != "ingest":
        assert once.calls == calls
        assert "an answer" not in repr(twice)


@pytest.mark.parametrize("stage_name", ["classify", "run"])
async def test_what_was_claimed_and_not_begun_is_given_back_with_its_call(stage_name):
    db, configs = FakeDatabase(), Configs(None, 1, a_config())  # type: ignore[arg-type]
    if stage_name == "classify":
        stage: Any = ClassifyStage(db, an_access(), configs, OWNER)  # type: ignore[arg-type]
        payload: Any = pair()
    else:
        stage = a_run_stage(db, an_access(), None)
        payload = a_job()
    await stage.release([held(Stage(stage_name), payload)])
    assert db.ran == ["calls/drop", "flow/release"]
    assert db.given("calls/drop") == {"ids": [CALL]}
    assert db.given("flow/release")["stages"] == [stage_name]
    assert len(db.transactions) == 1
