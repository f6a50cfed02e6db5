"""Whatever becomes of a job, its grant is settled once or given back once."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.config import Config, EngineConfig
from models.words import TaskType, Tier
from tests.stubs.fake import FakeEngine, Hang
from tests.waiting import until
from worker.calls.admission import Admission
from worker.calls.caller import Desk
from worker.calls.grant import Amount, Grant
from worker.calls.ledger import Ledger
from worker.calls.prices import PriceBook
from worker.calls.reserve import ENOUGH
from worker.flow.pump import Pump
from worker.flow.slots import Slots
from worker.flow.stage import Slot
from worker.llm.engine import (
    Completion,
    EngineError,
    Finish,
    Message,
    RateLimits,
    Request,
    Trouble,
    Usage,
)
from worker.llm.gate import Gate
from worker.run.ground import Source
from worker.run.run import Job, run
from worker.run.stage import RunStage
from worker.site import EngineSite

MODEL, ASK = "big", 3
CONFIG = Config()
LIMITS = RateLimits(limit_requests=500, remaining_requests=0)
ANSWER = '{"summary": "s"}'


@dataclass
class FakeLimiter:
    """Lets `room` calls through at once, and remembers what became of each."""

    room: int = 100
    models: list[str] = field(default_factory=list)
    amounts: list[Amount] = field(default_factory=list)
    granted: list[Grant] = field(default_factory=list)
    settled: list[tuple[Grant, Usage | None, RateLimits | None]] = field(default_factory=list)
    given_back: list[Grant] = field(default_factory=list)
    pauses: list[tuple[float | None, bool]] = field(default_factory=list)
    late: bool = False
    waited_for: asyncio.Event = field(default_factory=asyncio.Event)
    redis_answers: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.redis_answers.set()

    async def acquire(self, model: str, amounts: Sequence[Amount]) -> list[Grant]:
        if self.room == 0:
            self.waited_for.set()
            await asyncio.Event().wait()
        through = amounts[: self.room]
        granted = [Grant(uuid4().hex, model, one, one.prompt, 0, 0, 0.0) for one in through]
        self.models.append(model)
        self.amounts += through
        self.granted += granted
        return granted

    def settle(
        self, grant: Grant, usage: Usage | None = None, rate_limits: RateLimits | None = None
    ) -> None:
        self.settled.append((grant, usage, rate_limits))

    async def going_out(self, grant: Grant) -> Grant:
        await self.redis_answers.wait()
        return replace(grant, slot=7) if self.late else grant

    def give_back(self, grant: Grant) -> None:
        self.given_back.append(grant)

    def pause(self, grant: Grant, seconds: float | None, *, over_limit: bool) -> None:
        self.pauses.append((seconds, over_limit))

    async def close(self) -> None:
        pass


class FakeDatabase:
    """Every job is ready when it is looked at; `gone` are not when they are claimed."""

    def __init__(self) -> None:
        self.gone: set[int] = set()
        self.broken = False

    async def run(self, name: str, **params: Any) -> list[dict[str, Any]]:
        if name == "peek_ready":
            return [job_row(job_id) for job_id in params["ids"]]
        assert name == "load_asks", name
        return [{"id": ASK, "text": "Sum up.", "json_schema": None}]

    async def run_each(self, statements: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
        if self.broken:
            raise KeyError("a fault of ours")
        claims = dict(statements)["claim_ready"]
        rows = [claimed_row(i) for i in claims["ids"] if i not in self.gone]
        return [rows if name == "claim_ready" else [] for name, _ in statements]


class FakeJournal:
    async def append(self, call_id: UUID, call: dict[str, Any]) -> None:
        pass


def job_row(job_id: int, model: str = MODEL, tokens: int = 50) -> dict[str, Any]:
    return {"id": job_id, "ask_id": ASK, "task": "summary", "model": model, "tokens": tokens}


def claimed_row(job_id: int) -> dict[str, Any]:
    extra = {"batch_id": 1, "local_only": False, "pinned": None, "pieces": [], "attempts": 1}
    late = {"waits": 0, "call_id": uuid4(), "earlier": None, "answer": None}
    return {**job_row(job_id), **extra, **late}


class Rig:
    """One frontier engine's desk and stage, with fakes at every seam."""

    def __init__(self) -> None:
        self.limiter = FakeLimiter()
        self.engine = FakeEngine(models=(MODEL,))
        self.db: Any = FakeDatabase()
        self.admission = Admission(self.limiter)  # type: ignore[arg-type]
        engine = EngineConfig(kind="openai", base_url="http://engine")
        site = EngineSite(Tier.FRONTIER, engine, lambda: self.engine, "engine")
        journal: Any = FakeJournal()
        self.desk = Desk(
            engine=self.engine,
            gate=Gate("the engine", self.engine.health, limited=True),
            journal=journal,
            ledger=Ledger(site, PriceBook(CONFIG), MODEL),
            reserve=self._reserve,
            admission=self.admission,
        )
        persist: Any = None
        self.stage = RunStage(Tier.FRONTIER, self.db, self.desk, persist, CONFIG, uuid4())

    async def _reserve(self, *_: object) -> None:
        pass

    def job(self, job_id: int = 1, earlier: dict[str, Any] | None = None) -> Job:
        return Job(
            id=job_id,
            batch_id=1,
            local_only=False,
            task=TaskType.SUMMARY,
            tier=Tier.FRONTIER,
            model_name=MODEL,
            ask_id=ASK,
            ask="Sum up.",
            schema=None,
            pieces=(Source(0, "The rent is due."),),
            attempts=1,
            waits=0,
            call_id=uuid4(),
            earlier=earlier or {},
        )

    async def run(self, job: Job, slot: Slot | None = None) -> Any:
        """Run a job that has been admitted."""
        await self.stage.admit([job.id])
        return await run(job, self.desk, slot or nullcontext(), CONFIG)

    @property
    def open(self) -> int:
        """Grants that nobody has answered for."""
        return len(self.limiter.granted) - len(self.limiter.settled) - len(self.limiter.given_back)


@pytest.fixture
def rig() -> Rig:
    return Rig()


# --- who is admitted ------------------------------------------------------------------------------


async def test_as_many_are_admitted_as_the_limit_lets_through_and_in_their_order(rig):
    rig.limiter.room = 2
    assert await rig.stage.admit([5, 6, 7]) == [5, 6]


async def test_jobs_of_another_model_have_their_turn_later(rig):
    wanted = [(job_row(1), 9, 9), (job_row(2, "other"), 9, 9), (job_row(3), 9, 9)]
    assert await rig.admission.admit(wanted) == [1, 3]
    assert rig.limiter.models == [MODEL]


async def test_a_call_is_charged_its_prompt_and_the_output_that_the_ask_is_known_for(rig):
    request = Request(MODEL, (), max_tokens=400, context_tokens=1)
    usage = Usage(input_tokens=10, output_tokens=30)
    for job_id in range(ENOUGH):
        grant = await rig.admission.grant(job_id, ASK, request)
        rig.admission.answered(grant, ASK, Completion("", Finish.STOP, 1, usage))
    await rig.admission.admit([(job_row(99), 70, 400)])
    assert rig.limiter.amounts[0] == Amount(0, 400, 400)
    assert rig.limiter.amounts[-1] == Amount(70, 30, 400)


# --- grants of calls that are never made ----------------------------------------------------------


async def test_a_job_that_is_gone_at_the_claim_gives_its_grant_back(rig):
    rig.db.gone = {2}
    ids = await rig.stage.admit([1, 2, 3])
    await rig.stage.claim(ids)
    assert len(rig.limiter.given_back) == 1
    assert rig.open == 2


async def test_a_claim_that_raises_gives_every_grant_back(rig):
    rig.db.broken = True
    pump = Pump(rig.stage, Slots(4), rig.db)
    pump.start()
    pump.take([1, 2, 3])
    await until(lambda: not pump.hints and rig.limiter.given_back, "the claim has failed")
    assert len(rig.limiter.given_back) == 3
    assert rig.open == 0
    await pump.drain(0)


async def test_what_is_drained_while_it_waits_for_the_limit_holds_nothing(rig):
    rig.limiter.room = 0
    pump = Pump(rig.stage, Slots(4), rig.db)
    pump.start()
    pump.take([1, 2, 3])
    await asyncio.wait_for(rig.limiter.waited_for.wait(), timeout=5)
    assert pump.hints == 3
    await asyncio.wait_for(pump.drain(5), timeout=1)
    assert pump.hints == 0
    assert rig.open == 0


async def test_claimed_jobs_that_are_released_give_their_grants_back(rig):
    held = await rig.stage.claim(await rig.stage.admit([1, 2]))

    async def released(name: str, **_: object) -> None:
        assert name == "release_jobs"

    rig.db.run = released
    await rig.stage.release(held)
    assert len(rig.limiter.given_back) == 2


async def test_an_answer_that_is_known_gives_the_grant_of_its_call_back(rig):
    asked = await rig.run(rig.job())
    key = asked.calls[0]["request_key"]
    known = {str(key): {"call_id": str(uuid4()), "text": ANSWER, "finish": "stop"}}
    rig.limiter.settled.clear()
    rig.limiter.granted.clear()
    await rig.run(rig.job(earlier=known))
    assert len(rig.engine.requests) == 1
    assert len(rig.limiter.given_back) == 1
    assert rig.open == 0


async def test_a_call_that_is_cut_off_before_it_goes_out_gives_its_grant_back(rig):
    rig.limiter.redis_answers.clear()
    running = asyncio.create_task(rig.run(rig.job()))
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    await running
    assert rig.engine.requests == []
    assert rig.limiter.given_back == rig.limiter.granted


async def test_what_is_left_when_the_worker_closes_is_given_back(rig):
    await rig.stage.admit([1, 2])
    await rig.admission.close()
    assert rig.open == 0


# --- grants of calls that are made ----------------------------------------------------------------


async def test_an_answered_call_counts_as_what_it_used_and_passes_on_what_headers_said(rig):
    usage = Usage(input_tokens=40, output_tokens=5)
    rig.engine.script.append(Completion(ANSWER, Finish.STOP, 1, usage, rate_limits=LIMITS))
    await rig.run(rig.job())
    assert rig.limiter.settled == [(rig.limiter.granted[0], usage, LIMITS)]


async def test_a_call_that_a_slow_claim_made_late_counts_from_when_it_goes_out(rig):
    rig.limiter.late = True
    await rig.run(rig.job())
    [(grant, *_)] = rig.limiter.settled
    assert grant.slot == 7


async def test_a_repair_has_a_grant_of_its_own(rig):
    rig.engine.script += ["no JSON at all", ANSWER]
    await rig.run(rig.job())
    assert len(rig.limiter.granted) == len(rig.limiter.settled) == 2


async def test_a_slot_is_held_for_the_exchange_alone_and_once_more_for_a_repair(rig):
    steps: list[str] = []

    def noting(step: str, owner: Any, name: str) -> None:
        do = getattr(owner, name)

        async def noted(*args: Any) -> Any:
            steps.append(step)
            return await do(*args)

        setattr(owner, name, noted)

    noting("granted", rig.admission, "grant")
    noting("asked", rig.engine, "complete")
    noting("kept", rig.desk.journal, "append")
    rig.engine.script += ["no JSON at all", ANSWER]

    class NotedSlot:
        async def __aenter__(self) -> None:
            steps.append("slot")

        async def __aexit__(self, *_: object) -> None:
            steps.append("free")

    await rig.run(rig.job(), NotedSlot())
    assert steps == ["granted", "slot", "asked", "free", "kept"] * 2


async def test_a_call_that_is_cut_off_counts_in_full(rig):
    rig.engine.script.append(Hang())
    running = asyncio.create_task(rig.run(rig.job()))
    while not rig.engine.in_flight:
        await asyncio.sleep(0)
    running.cancel()
    await running
    assert rig.limiter.settled == [(rig.limiter.granted[0], None, None)]
    assert rig.limiter.given_back == []


async def test_the_headers_of_a_429_teach_the_limit_as_those_of_an_answer_do(rig):
    refusal = EngineError(
        Trouble.RATE_LIMITED, "no", status=429, retry_after_s=2.5, rate_limits=LIMITS
    )
    rig.engine.script.append(refusal)
    await rig.run(rig.job())
    assert rig.limiter.settled == [(rig.limiter.granted[0], None, LIMITS)]
    assert rig.limiter.pauses == [(2.5, True)]


@pytest.mark.parametrize(
    ("trouble", "status", "wait", "pauses"),
    [
        (Trouble.RATE_LIMITED, 429, None, [(None, True)]),
        (Trouble.RATE_LIMITED, 529, None, [(None, False)]),
        (Trouble.UNAVAILABLE, 503, 4.0, [(4.0, False)]),
        (Trouble.UNAVAILABLE, 503, None, []),
        (Trouble.SERVER_ERROR, 500, None, []),
        (Trouble.BAD_REQUEST, 400, None, []),
    ],
)
async def test_who_pauses_for_everybody(rig, trouble, status, wait, pauses):
    request = Request(MODEL, (Message("user", "text"),), max_tokens=4, context_tokens=1)
    grant = await rig.admission.grant(1, ASK, request)
    rig.admission.failed(grant, EngineError(trouble, "no", status=status, retry_after_s=wait))
    assert rig.limiter.pauses == pauses


async def test_while_the_shared_limit_pauses_the_gate_of_this_process_stays_open(rig):
    rig.engine.script.append(EngineError(Trouble.RATE_LIMITED, "no", status=429))
    await rig.run(rig.job())
    assert rig.desk.gate.is_open
