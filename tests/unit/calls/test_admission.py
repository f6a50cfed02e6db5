"""Whatever becomes of a call, its grant is settled once or given back once."""

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from models.words import TaskType
from tests.factories import a_job, a_place, an_access, the_frontier
from tests.stubs.fake import FakeEngine, Hang
from tests.waiting import until
from worker.calls.admission import Limited, Unlimited
from worker.calls.grant import Amount, Grant, Shut, ShutReason
from worker.calls.output_reserve import ENOUGH
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
from worker.run.job import Job
from worker.run.run import run
from worker.tokens import estimate

MODEL, ASK = "big", 3
LIMITS = RateLimits(limit_requests=500, remaining_requests=0)
ANSWER = '{"summary": "s"}'
REQUEST = Request(MODEL, (Message("user", "some text"),), max_tokens=400, context_tokens=1)


@dataclass
class FakeLimiter:
    """Lets everything through while it is open, and remembers what became of each call."""

    amounts: list[Amount] = field(default_factory=list)
    granted: list[Grant] = field(default_factory=list)
    ends: list[tuple[Any, ...]] = field(default_factory=list)
    """What became of the calls: how, the grant, and what was told."""
    late: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)
    redis_answers: asyncio.Event = field(default_factory=asyncio.Event)
    asked_late: int = 0
    shut: list[Shut] = field(default_factory=list)
    lifted: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open.set()
        self.redis_answers.set()

    async def acquire(self, model: str, amount: Amount) -> Grant:
        await self.open.wait()
        grant = Grant(uuid4().hex, model, amount, amount.prompt, 0, 0, 0.0)
        self.amounts.append(amount)
        self.granted.append(grant)
        return grant

    async def going_out(self, grant: Grant) -> Grant:
        self.asked_late += 1
        await self.redis_answers.wait()
        return replace(grant, slot=7) if self.late else grant

    def ahead(self, model: str) -> int | None:
        return 3 if model == MODEL and not self.open.is_set() else None

    def settle(
        self, grant: Grant, usage: Usage | None = None, rate_limits: RateLimits | None = None
    ) -> None:
        self.ends.append(("settled", grant, usage, rate_limits))

    def cut_off(self, grant: Grant) -> None:
        self.ends.append(("cut off", grant))

    def give_back(self, grant: Grant) -> None:
        self.ends.append(("given back", grant))

    def pause(self, grant: Grant, seconds: float | None, **how: Any) -> None:
        self.ends.append(("pause", grant, seconds, how))

    def trouble(self, grant: Grant, seconds: float | None, **how: Any) -> None:
        self.ends.append(("trouble", grant, seconds, how))

    async def state(self) -> list[Shut]:
        return self.shut

    async def lift(self, model: str | None) -> None:
        self.lifted.append(model)

    @property
    def how(self) -> list[str]:
        return [how for how, *_ in self.ends]


class Rig:
    """One frontier engine, with fakes at every seam."""

    def __init__(self) -> None:
        self.limiter = FakeLimiter()
        self.engine = FakeEngine(models=(MODEL,))
        self.admission = Limited(self.limiter)  # type: ignore[arg-type]
        self.access = an_access(self.engine, the_frontier(), admission=self.admission)

    def job(self, earlier: dict[str, Any] | None = None) -> Job:
        return a_job(
            "The rent is due.",
            task=TaskType.SUMMARY,
            place=a_place(f"frontier/{MODEL}"),
            ask_id=ASK,
            ask="Sum up.",
            call_id=uuid4(),
            earlier=earlier or {},
        )

    async def run(self, job: Job | None = None, slot: Slot | None = None) -> Any:
        return await run(job or self.job(), self.access, slot or nullcontext())

    async def leave(self, how: BaseException | Completion | None, *, sent: bool = True) -> None:
        """One turn that ends so."""
        try:
            async with self.admission.leave(ASK, REQUEST) as leave:
                if sent:
                    await leave.sent()
                if isinstance(how, BaseException):
                    raise how
                if how is not None:
                    leave.answered(how)
        except BaseException as exc:
            if exc is not how:
                raise


@pytest.fixture
def rig() -> Rig:
    return Rig()


# --- what is asked for ---------------------------------------------------------------------------


async def test_a_call_is_charged_its_prompt_and_the_output_that_the_ask_is_known_for(rig):
    prompt = estimate("some text")
    for _ in range(ENOUGH):
        usage = Usage(input_tokens=10, output_tokens=30)
        await rig.leave(Completion("", Finish.STOP, 1, usage))
    await rig.leave(None)
    assert rig.limiter.amounts[0] == Amount(prompt, 400, 400)
    assert rig.limiter.amounts[-1] == Amount(prompt, 30, 400)


async def test_how_many_may_wait_is_said_per_model(rig):
    rig.limiter.open.clear()
    assert rig.admission.ahead(MODEL) == 3
    assert rig.admission.ahead("another") is None


async def test_a_local_engine_lets_everything_out_and_nothing_waits():
    unlimited = Unlimited()
    async with unlimited.leave(ASK, REQUEST) as leave:
        await leave.sent()
        leave.answered(Completion("", Finish.STOP, 1))
    with pytest.raises(EngineError):
        async with unlimited.leave(ASK, REQUEST):
            raise EngineError(Trouble.TIMEOUT, "no")
    assert unlimited.ahead(MODEL) is None
    await unlimited.close()


# --- calls that are never made -------------------------------------------------------------------


@pytest.mark.parametrize("how", [None, asyncio.CancelledError(), KeyError("a fault of ours")])
async def test_what_was_not_sent_is_given_back(rig, how):
    await rig.leave(how, sent=False)
    assert rig.limiter.how == ["given back"]


async def test_an_answer_that_is_known_takes_no_turn(rig):
    asked = await rig.run()
    key = asked.calls[0].request_key
    known = {str(key): {"call_id": str(uuid4()), "text": ANSWER, "finish": "stop"}}
    await rig.run(rig.job(earlier=known))
    assert len(rig.engine.requests) == len(rig.limiter.granted) == 1


async def test_a_call_that_is_cut_off_while_it_waits_for_leave_holds_nothing(rig):
    rig.limiter.open.clear()
    running = asyncio.create_task(rig.run())
    await asyncio.sleep(0)
    running.cancel()
    turn = await running
    assert (turn.calls, rig.limiter.granted) == ([], [])


async def test_a_call_that_is_cut_off_just_before_it_goes_out_is_given_back(rig):
    rig.limiter.redis_answers.clear()
    job = rig.job()
    running = asyncio.create_task(rig.run(job))
    await until(lambda: rig.limiter.asked_late, "it is about to go out")
    running.cancel()
    turn = await running
    assert rig.engine.requests == []
    assert rig.limiter.how == ["given back"]
    assert (turn.calls, turn.unused) == ([], [job.call_id])


# --- calls that are made -------------------------------------------------------------------------


async def test_an_answered_call_counts_as_what_it_used_and_passes_on_what_headers_said(rig):
    usage = Usage(input_tokens=40, output_tokens=5)
    rig.engine.script.append(Completion(ANSWER, Finish.STOP, 1, usage, rate_limits=LIMITS))
    await rig.run()
    assert rig.limiter.ends == [("settled", rig.limiter.granted[0], usage, LIMITS)]


async def test_a_call_that_a_slow_slot_made_late_counts_from_when_it_goes_out(rig):
    rig.limiter.late = True
    await rig.run()
    [(how, grant, *_)] = rig.limiter.ends
    assert (how, grant.slot) == ("settled", 7)


async def test_a_repair_has_a_turn_of_its_own(rig):
    rig.engine.script += ["no JSON at all", ANSWER]
    await rig.run()
    assert rig.limiter.how == ["settled", "settled"]


async def test_a_slot_is_held_for_the_exchange_alone_and_once_more_for_a_repair(rig):
    steps: list[str] = []

    def noting(step: str, owner: Any, name: str) -> None:
        do = getattr(owner, name)

        async def noted(*args: Any) -> Any:
            steps.append(step)
            return await do(*args)

        setattr(owner, name, noted)

    noting("granted", rig.limiter, "acquire")
    noting("goes out", rig.limiter, "going_out")
    noting("asked", rig.engine, "complete")
    noting("kept", rig.access.journal, "append")
    rig.engine.script += ["no JSON at all", ANSWER]

    class NotedSlot:
        async def __aenter__(self) -> None:
            steps.append("slot")

        async def __aexit__(self, *_: object) -> None:
            steps.append("free")

    await rig.run(slot=NotedSlot())
    assert steps == ["granted", "slot", "goes out", "asked", "free", "kept"] * 2


@pytest.mark.parametrize("how", [None, asyncio.CancelledError(), KeyError("a fault of ours")])
async def test_what_was_sent_and_not_heard_of_again_counts_in_full(rig, how):
    await rig.leave(how)
    assert rig.limiter.ends == [("cut off", rig.limiter.granted[0])]


async def test_a_call_that_is_cut_off_while_the_engine_works_counts_in_full(rig):
    rig.engine.script.append(Hang())
    running = asyncio.create_task(rig.run())
    await until(lambda: rig.engine.in_flight, "the engine works")
    running.cancel()
    await running
    assert rig.limiter.how == ["cut off"]


PAUSED = {
    # trouble, status, Retry-After: over the limit
    (Trouble.RATE_LIMITED, 429, None): True,
    (Trouble.RATE_LIMITED, 429, 2.5): True,
    (Trouble.RATE_LIMITED, 529, None): False,
    (Trouble.QUOTA, 429, 60.0): False,
}


async def test_a_refusal_pauses_its_model_for_all(rig):
    for (trouble, status, wait_s), over_limit in PAUSED.items():
        rig.limiter.ends.clear()
        error = EngineError(trouble, "no", status=status, retry_after_s=wait_s, rate_limits=LIMITS)
        await rig.leave(error)
        [(how, _, seconds, told)] = rig.limiter.ends
        assert (how, seconds) == ("pause", wait_s)
        assert told == {"over_limit": over_limit, "rate_limits": LIMITS}


TROUBLED = {
    # trouble, status, Retry-After: concerns the whole engine
    (Trouble.UNAVAILABLE, None, None): True,  # refused, unknown host, TLS
    (Trouble.UNAVAILABLE, 503, None): False,
    (Trouble.UNAVAILABLE, 503, 4.0): False,
    (Trouble.SERVER_ERROR, 500, None): False,
    (Trouble.SERVER_ERROR, None, None): False,  # cut in the middle of its answer
    (Trouble.TIMEOUT, None, None): False,
}


async def test_no_answer_is_trouble_of_the_model_or_where_there_was_no_way_of_the_engine(rig):
    for (trouble, status, wait_s), engine in TROUBLED.items():
        rig.limiter.ends.clear()
        await rig.leave(EngineError(trouble, "no", status=status, retry_after_s=wait_s))
        [(how, _, seconds, told)] = rig.limiter.ends
        assert (how, seconds) == ("trouble", wait_s)
        assert told == {"engine": engine, "rate_limits": None}


async def test_a_definite_no_is_an_answer(rig):
    for trouble in (Trouble.BAD_REQUEST, Trouble.AUTH, Trouble.MODEL_NOT_FOUND, Trouble.QUOTA):
        rig.limiter.ends.clear()
        await rig.leave(EngineError(trouble, "no", status=400, rate_limits=LIMITS))
        assert rig.limiter.ends == [("settled", rig.limiter.granted[-1], None, LIMITS)]


async def test_while_the_shared_limit_pauses_the_gate_of_this_process_stays_open(rig):
    rig.engine.script.append(EngineError(Trouble.RATE_LIMITED, "no", status=429))
    await rig.run()
    assert rig.access.gate(MODEL).shut is None


# --- pauses that people are told of ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "lasts_s", "told"),
    [
        (ShutReason.ASKED, 86_400, True),
        (ShutReason.ASKED, 20, False),
        (ShutReason.RATE_LIMITED, 61, True),
        (ShutReason.RATE_LIMITED, 5, False),
        (ShutReason.TROUBLE, 5, True),
    ],
)
async def test_a_pause_that_is_no_matter_of_seconds_is_told_with_its_end(
    rig, reason, lasts_s, told
):
    rig.limiter.shut = [Shut("big", reason, 1_000.0, 1_000.0 + lasts_s), Shut(None, reason, 0, 0.5)]
    pauses = await rig.admission.pauses()
    assert ("big" in pauses) is told
    if told:
        assert pauses["big"].until == datetime.fromtimestamp(1_000 + lasts_s, UTC)
        assert not pauses["big"].lasting


async def test_a_lift_is_passed_on_for_a_model_or_for_the_whole_engine(rig):
    await rig.admission.lift("big")
    await rig.admission.lift("")
    assert rig.limiter.lifted == ["big", None]
