"""Storms, to the hour: pump, gates, runs and leases are real; engine and clock are the test's."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from models.words import Queue, Stage
from tests.clock import BEGINNING_S, now, virtual_time
from tests.factories import OWNER, a_job, an_access
from tests.fakes import FakeDatabase
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess, ModelAccess
from worker.calls.retry import Retry, Wait
from worker.flow.leases import Leases
from worker.flow.pump import Lane, Pump
from worker.flow.slots import Slots
from worker.flow.stage import Claimed, Held, Lease, Slot
from worker.llm.engine import Completion, EngineError, Request, Trouble
from worker.run.job import Job
from worker.run.outcome import Turn
from worker.run.run import run

HOUR_S = 3_600.0
POISON = 999_999
QUEUE = Queue(Stage.RUN, "local", "phi4-mini")


class StormyEngine(FakeEngine):
    """Answers nothing but `trouble` for an hour; its health says that it is well all the time."""

    def __init__(self, trouble: Trouble | None, **more: Any) -> None:
        super().__init__(models=("phi4-mini",), delay_s=0.2)
        self.trouble = trouble
        self.more = more
        self.calls: list[float] = []

    @property
    def stormy(self) -> bool:
        return self.trouble is not None and now() - BEGINNING_S < HOUR_S

    async def complete(self, request: Request) -> Completion:
        self.calls.append(now() - BEGINNING_S)
        if self.stormy:
            raise EngineError(self.trouble, "503 Service Unavailable", **self.more)
        return await super().complete(request)


class Line:
    """The jobs of a queue as Postgres would hold them: what comes back stands at its end again,
    or when its moment has come."""

    def __init__(self, access: EngineAccess, jobs: int) -> None:
        self.access = access
        self.waiting = deque(a_job(id=number) for number in range(jobs))
        self.fates: defaultdict[int, list[str]] = defaultdict(list)
        """What each job's turns came to."""
        self.ended: list[float] = []

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(name for fates in self.fates.values() for name in fates)

    async def claim(self, queue: Queue, claim: UUID, most: int) -> Claimed:
        taken = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        held = [Held(Lease(Stage.RUN, job.id, claim), 1, job) for job in taken]
        return Claimed(len(taken), held)

    async def work(self, held: Held, slot: Slot) -> tuple[Job, Turn]:
        return held.payload, await run(held.payload, self.access, slot)

    async def finish(self, outcome: tuple[Job, Turn]) -> None:
        job, turn = outcome
        self.fates[job.id].append(type(turn.outcome).__name__)
        match turn.outcome:
            case Wait(_, delay_s) | Retry(_, delay_s):
                again = replace(job, attempts=job.attempts + isinstance(turn.outcome, Retry))
                asyncio.get_running_loop().call_later(delay_s, self.waiting.append, again)
            case _:
                self.ended.append(now() - BEGINNING_S)

    async def release(self, held: Sequence[Held]) -> None:
        self.waiting.extend(one.payload for one in held)


class OwnLeases(Leases):
    """Leases that Postgres confirms without being asked."""

    def is_ours(self, lease: Lease) -> bool:
        if lease in self._seen:
            self._seen[lease] = now()
        return super().is_ours(lease)


@asynccontextmanager
async def a_worker(engine: FakeEngine, jobs: int, lanes: int = 1) -> AsyncIterator[list[Line]]:
    """A worker with four slots whose queues are known to hold something."""
    access = an_access(engine)
    pump = Pump("local", Slots(4), OwnLeases("postgresql://x/y", OWNER), FakeDatabase())  # type: ignore[arg-type]
    access.changed = pump.look_again
    lines = [Line(access, jobs) for _ in range(lanes)]
    queues = [QUEUE, Queue(Stage.CLASSIFY, "local", "phi4-mini")][:lanes]
    for queue, line in zip(queues, lines, strict=True):
        pump.serve([Lane(queue, line, ModelAccess(access, queue.model))])

    async def ringing() -> None:
        while True:
            for queue in queues:
                pump.ring(queue.name)
            await asyncio.sleep(0.25)

    tasks = [asyncio.create_task(loop) for loop in (pump.run(), ringing())]
    try:
        yield lines
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await access.close()


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize(
    ("trouble", "more"),
    [
        (Trouble.UNAVAILABLE, {"status": 503}),
        (Trouble.SERVER_ERROR, {"maybe_billed": True}),
        (Trouble.TIMEOUT, {"maybe_billed": True}),
        (Trouble.RATE_LIMITED, {"status": 429}),
    ],
)
def test_an_hour_of_trouble_fails_no_job_and_makes_two_calls_a_minute_at_most(trouble, more, lanes):
    @virtual_time
    async def scene() -> None:
        engine = StormyEngine(trouble, **more)
        async with a_worker(engine, jobs=50, lanes=lanes) as lines:
            await asyncio.sleep(HOUR_S)
            stormy = [at for at in engine.calls if at < HOUR_S]
            assert len(stormy) <= 2 * HOUR_S / 60
            minutes = Counter(int(at // 60) for at in stormy)
            assert max(minutes[minute] for minute in range(2, 60)) <= 2
            await asyncio.sleep(180)
            for line in lines:
                assert set(line.outcomes) <= {"Wait", "Done"}
                assert line.outcomes["Done"] == 50
                assert max(line.ended) < HOUR_S + 120

    scene()


@virtual_time
async def test_an_engine_that_serves_others_makes_a_failing_prompt_its_own_fault():
    """One prompt always times out, among many that do not: it fails after its attempts, alone."""

    class OneBadPrompt(StormyEngine):
        async def complete(self, request: Request) -> Completion:
            if "poison" in request.messages[-1].content:
                raise EngineError(Trouble.TIMEOUT, "no answer", maybe_billed=True)
            return await super().complete(request)

    async with a_worker(OneBadPrompt(None), jobs=2_000) as [line]:
        line.waiting.insert(100, a_job("poison", id=POISON))
        await asyncio.sleep(240)
        assert line.fates[POISON] == ["Retry"] * 4 + ["GiveUp"]
        assert line.outcomes["Done"] == 2_000
        assert line.outcomes["Wait"] == 0
