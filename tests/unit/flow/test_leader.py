"""Who leads, against a Postgres in memory that has one lock and loses it with its connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from models.sql import load_sql
from tests.clock import now, passes, settle, virtual_time
from worker.flow import leader as leader_module
from worker.flow.leader import ANSWER_S, AWAY_S, BEAT_S, SILENCE_S, TRY_S, Leadership
from worker.flow.supply import IDLE_S

NAMES = {
    load_sql("worker", f"flow/{name}"): name
    for name in ("lead", "depose", "silence", "beat", "waiting_queues")
}


class FakeConnection:
    """A session. Its lock goes with it."""

    def __init__(self, postgres: "FakePostgres") -> None:
        self.postgres = postgres
        self.is_open = True

    async def __aenter__(self) -> "FakeConnection":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_open = False

    async def execute(self, statement: str, params: Any = None) -> Any:
        name = NAMES.get(statement, "other")
        self.postgres.ran.append((name, self, now()))
        if not self.is_open or self.postgres.is_away:
            raise psycopg.OperationalError("the connection is closed")
        await self.postgres.meets.get(name, _nothing)()
        rows = getattr(self.postgres, name, lambda _: [])(self)
        return SimpleNamespace(description=rows, fetchall=lambda: _soon(rows))


async def _nothing() -> None:
    pass


async def _soon(rows: list[Any]) -> list[Any]:
    return rows


class FakePostgres:
    """One lock; `meets` holds what a statement of that name meets before it is answered."""

    def __init__(self) -> None:
        self.holder: FakeConnection | None = None
        self.connections: list[FakeConnection] = []
        self.ran: list[tuple[str, FakeConnection, float]] = []
        self.meets: dict[str, Callable[[], Awaitable[None]]] = {}
        self.silent_s = 0.0
        self.is_away = False

    async def connect(self, url: str, **_: Any) -> FakeConnection:
        if self.is_away:
            raise psycopg.OperationalError("connection refused")
        self.connections.append(FakeConnection(self))
        return self.connections[-1]

    def lead(self, connection: FakeConnection) -> list[dict[str, bool]]:
        if self.holder is None or not self.holder.is_open:
            self.holder = connection
        return [{"leads": self.holder is connection}]

    def silence(self, _: FakeConnection) -> list[dict[str, float]]:
        return [{"seconds": self.silent_s}]

    def moments(self, name: str) -> list[float]:
        return [at for ran, _, at in self.ran if ran == name]


class FakeHouse:
    """Keeps no house; says how often, and whether Postgres had been away."""

    kept: list["FakeHouse"]

    def __init__(self, run: object, *, was_away: bool) -> None:
        self.was_away = was_away
        self.times = 0
        self.kept.append(self)

    async def keep(self) -> None:
        self.times += 1


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> FakePostgres:
    made = FakePostgres()
    FakeHouse.kept = []
    monkeypatch.setattr(leader_module.psycopg.AsyncConnection, "connect", made.connect)
    monkeypatch.setattr(leader_module, "House", FakeHouse)
    return made


@asynccontextmanager
async def trying(*names: str) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Processes that try for the lead."""
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(Leadership("postgresql://somewhere/x").run(), name=name))
        await settle()
    try:
        yield tasks
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@virtual_time
async def test_of_several_processes_one_leads_and_the_others_go_on_trying(postgres):
    async with trying("one", "other", "third"):
        await asyncio.sleep(10)
        assert len(FakeHouse.kept) == 1
        assert FakeHouse.kept[0].times == pytest.approx(10 / IDLE_S, abs=2)
        assert {one for ran, one, _ in postgres.ran if ran == "beat"} == {postgres.holder}
        tries = [
            at for ran, one, at in postgres.ran if ran == "lead" and one is not postgres.holder
        ]
        assert len(tries) == pytest.approx(1 + 2 * 10 / TRY_S, abs=2)


@virtual_time
async def test_when_the_leader_dies_another_leads_at_once(postgres):
    async with trying("one", "other") as tasks:
        await asyncio.sleep(5)
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        assert not postgres.holder.is_open
        await asyncio.sleep(TRY_S + 0.1)
        assert postgres.holder.is_open
        assert len(FakeHouse.kept) == 2
        tasks[0] = tasks[1]


@virtual_time
async def test_those_who_try_depose_a_leader_that_gives_no_sign_of_life(postgres):
    async with trying("one", "other"):
        await asyncio.sleep(5)
        deposing = {one for ran, one, _ in postgres.ran if ran == "depose"}
        assert deposing
        assert postgres.holder not in deposing
    assert SILENCE_S > 2 * BEAT_S


@virtual_time
async def test_a_leader_beats_though_its_work_takes_for_ever(postgres):
    postgres.meets["waiting_queues"] = asyncio.Event().wait
    async with trying("one"):
        await asyncio.sleep(60)
        assert FakeHouse.kept[0].times == 1
        assert len(postgres.moments("beat")) == pytest.approx(60 / BEAT_S, rel=0.05)
        working = {one for ran, one, _ in postgres.ran if ran == "waiting_queues"}
        assert working
        assert postgres.holder not in working


@virtual_time
async def test_a_leader_whose_beat_is_not_answered_steps_down_in_time(postgres):
    async with trying("one"):
        await asyncio.sleep(5)
        postgres.meets["beat"] = asyncio.Event().wait
        began = now()
        first, *_ = postgres.connections
        await passes(lambda: not first.is_open, "it steps down")
        assert now() - began < BEAT_S + ANSWER_S + 0.1 < SILENCE_S
        del postgres.meets["beat"]
        await asyncio.sleep(5)
        assert len(FakeHouse.kept) == 2


@virtual_time
async def test_an_outage_ends_the_reign_and_it_is_taken_up_again_afterwards(postgres):
    async with trying("one"):
        await asyncio.sleep(5)
        postgres.is_away = True
        await asyncio.sleep(60)
        assert not any(one.is_open for one in postgres.connections)
        postgres.is_away = False
        postgres.silent_s = 60.0
        await asyncio.sleep(1)
        assert [house.was_away for house in FakeHouse.kept] == [False, True]


@pytest.mark.parametrize(("seconds", "was_away"), [(0, False), (AWAY_S, False), (AWAY_S + 1, True)])
def test_after_a_long_silence_the_next_leader_takes_it_that_postgres_was_away(
    postgres, seconds, was_away
):
    @virtual_time
    async def scene():
        postgres.silent_s = seconds
        async with trying("one"):
            await asyncio.sleep(1)
            assert [house.was_away for house in FakeHouse.kept] == [was_away]

    scene()


async def fails_once(fault: Exception, postgres: FakePostgres) -> None:
    postgres.meets.pop("waiting_queues", None)
    raise fault


@virtual_time
async def test_a_statement_that_is_at_fault_is_said_and_the_leader_starts_anew(postgres):
    fault = psycopg.errors.UndefinedTable("lines")
    postgres.meets["waiting_queues"] = lambda: fails_once(fault, postgres)
    async with trying("one"):
        await asyncio.sleep(5)
        assert len(FakeHouse.kept) == 2
        assert sum(one.is_open for one in postgres.connections) == 2


@virtual_time
async def test_any_other_fault_ends_the_loop_and_so_the_process(postgres):
    postgres.meets["waiting_queues"] = lambda: fails_once(KeyError("ours"), postgres)
    with pytest.raises(ExceptionGroup) as caught:
        await Leadership("postgresql://somewhere/x").run()
    assert caught.group_contains(KeyError)
    assert not any(one.is_open for one in postgres.connections)
