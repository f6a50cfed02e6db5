"""The lease clock, against a Postgres that answers, refuses, or says nothing at all."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from models.words import Stage
from tests.clock import BEGINNING_S, now, passes, settle, virtual_time
from tests.factories import OWNER
from worker.flow import leases as leases_module
from worker.flow.leases import LOOK_S, TRY_S, Leases
from worker.flow.stage import Lease
from worker.settings import LEASE_S, RENEW_S

MINE, OTHER = Lease(Stage.RUN, 1, uuid4()), Lease(Stage.INGEST, 2, uuid4())
AGAIN = MINE._replace(claim=uuid4())

CANCEL_S = 10.0
"""How long psycopg waits for a server to give up a statement whose wait was cancelled."""


class FakeConnection:
    """Answers as its Postgres does. Like psycopg's, it asks to cancel what is cancelled."""

    def __init__(self, postgres: "FakePostgres") -> None:
        self.postgres = postgres
        self.silent = postgres.silent
        self.is_open = True
        self.pgconn = SimpleNamespace(finish=self._finish)

    def _finish(self) -> None:
        self.is_open = False

    async def execute(self, statement: str, params: Any = None) -> Any:
        if params is None:
            return None  # what holds on every connection
        self.postgres.renewals.append(now())
        try:
            await self.postgres.answers(self)
        except asyncio.CancelledError:
            if self.is_open:
                await asyncio.sleep(CANCEL_S)
            raise
        asked = zip(params["stages"], params["items"], strict=True)
        ours = [
            {"stage": stage, "item_id": item}
            for stage, item in asked
            if (stage, item) not in self.postgres.taken
        ]
        assert params["owner"] == OWNER
        return SimpleNamespace(fetchall=lambda: _soon(ours))


async def _soon(rows: list[Any]) -> list[Any]:
    return rows


class FakePostgres:
    """Holds every lease for us but those that somebody else took."""

    def __init__(self) -> None:
        self.taken: set[tuple[Stage, int]] = set()
        self.connections: list[FakeConnection] = []
        self.renewals: list[float] = []
        self.silent = False
        """Says nothing more, also on connections that were made before."""
        self.refuses = False
        self.fault: Exception | None = None
        self.takes_s = 0.0

    async def connect(self, url: str, **_: Any) -> FakeConnection:
        if self.refuses:
            raise psycopg.OperationalError("connection refused")
        if self.silent:
            await asyncio.Event().wait()
        self.connections.append(FakeConnection(self))
        return self.connections[-1]

    async def answers(self, connection: FakeConnection) -> None:
        if self.fault is not None:
            raise self.fault
        if self.silent or connection.silent:
            await asyncio.Event().wait()
        await asyncio.sleep(self.takes_s)


class Rig:
    """Leases whose clock goes, and what they said was lost, with the moment."""

    def __init__(self, postgres: FakePostgres) -> None:
        self.postgres = postgres
        self.leases = Leases("postgresql://somewhere/docmill", OWNER)
        self.lost: list[tuple[Lease, float]] = []

    def hold(self, leases: Iterable[Lease], *, ago_s: float = 0.0) -> None:
        def lose(lease: Lease) -> None:
            self.lost.append((lease, now()))

        self.leases.add(leases, now() - ago_s, lose)


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> FakePostgres:
    made = FakePostgres()
    monkeypatch.setattr(leases_module.psycopg.AsyncConnection, "connect", made.connect)
    return made


@asynccontextmanager
async def going(postgres: FakePostgres) -> AsyncIterator[Rig]:
    rig = Rig(postgres)
    clock = asyncio.create_task(rig.leases.run())
    try:
        yield rig
    finally:
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)
        assert not any(one.is_open for one in postgres.connections if not one.silent)


@virtual_time
async def test_what_is_held_is_renewed_for_as_long_as_it_takes(postgres):
    async with going(postgres) as rig:
        rig.hold([MINE, OTHER])
        for _ in range(360):
            await asyncio.sleep(10)
            assert rig.leases.is_ours(MINE)
        assert rig.lost == []
        assert len(postgres.renewals) == pytest.approx(3_600 / RENEW_S, rel=0.1)
        assert len(postgres.connections) == 1


@virtual_time
async def test_where_nothing_is_held_nothing_is_asked(postgres):
    async with going(postgres):
        await asyncio.sleep(60)
        assert postgres.renewals == []


@virtual_time
async def test_what_is_done_with_is_neither_renewed_nor_lost(postgres):
    async with going(postgres) as rig:
        rig.hold([MINE])
        rig.leases.drop([MINE])
        assert not rig.leases.is_ours(MINE)
        await asyncio.sleep(60)
        assert (postgres.renewals, rig.lost) == ([], [])


@virtual_time
async def test_what_somebody_else_has_is_lost_once_and_nothing_else_is(postgres):
    async with going(postgres) as rig:
        rig.hold([MINE, OTHER])
        postgres.taken = {OTHER[:2]}
        await asyncio.sleep(60)
        assert [lease for lease, _ in rig.lost] == [OTHER]
        assert rig.leases.is_ours(MINE)
        assert not rig.leases.is_ours(OTHER)


@virtual_time
async def test_a_postgres_that_says_nothing_costs_the_lease_when_it_runs_out_and_not_later(
    postgres,
):
    async with going(postgres) as rig:
        rig.hold([MINE])
        await passes(lambda: postgres.renewals, "a renewal")
        await settle()
        postgres.silent = True
        await asyncio.sleep(40)
        [(lease, at)] = rig.lost
        confirmed = postgres.renewals[0]
        assert lease is MINE
        assert LEASE_S <= at - confirmed <= LEASE_S + 2 * LOOK_S


@virtual_time
async def test_a_postgres_that_is_gone_costs_the_lease_too(postgres):
    async with going(postgres) as rig:
        postgres.refuses = True
        rig.hold([MINE])
        await asyncio.sleep(60)
        [(_, at)] = rig.lost
        assert at - BEGINNING_S == pytest.approx(LEASE_S, abs=2 * LOOK_S)


@virtual_time
async def test_a_short_silence_costs_nothing(postgres):
    async with going(postgres) as rig:
        rig.hold([MINE])
        await asyncio.sleep(RENEW_S - LOOK_S)
        postgres.silent = True
        await asyncio.sleep(LEASE_S - RENEW_S - TRY_S - LOOK_S)
        postgres.silent = False
        await asyncio.sleep(60)
        assert rig.lost == []
        assert rig.leases.is_ours(MINE)


@virtual_time
async def test_a_renewal_that_does_not_come_back_is_tried_on_another_connection_at_once(postgres):
    """One connection is dead and nobody says so: psycopg would wait ten seconds for the server to
    give the statement up."""
    async with going(postgres) as rig:
        await settle()
        postgres.connections[0].silent = True
        rig.hold([MINE])
        await asyncio.sleep(RENEW_S + TRY_S + 3 * LOOK_S)
        assert len(postgres.connections) == 2
        assert not postgres.connections[0].is_open
        await asyncio.sleep(60)
        assert rig.lost == []


@virtual_time
async def test_a_lease_counts_from_when_its_renewal_went_out_not_from_when_the_answer_came(
    postgres,
):
    async with going(postgres) as rig:
        postgres.takes_s = TRY_S - 0.1
        rig.hold([MINE])
        await passes(lambda: postgres.renewals, "a renewal")
        await asyncio.sleep(postgres.takes_s + 0.01)
        postgres.refuses = postgres.silent = True
        sent = postgres.renewals[0]
        await passes(lambda: rig.lost, "it is lost")
        assert rig.lost[0][1] - sent < LEASE_S + 2 * LOOK_S


@virtual_time
async def test_a_claim_that_took_long_leaves_less_of_its_lease(postgres):
    async with going(postgres) as rig:
        postgres.refuses = True
        rig.hold([MINE], ago_s=10)
        await passes(lambda: rig.lost, "it is lost")
        assert now() - BEGINNING_S == pytest.approx(LEASE_S - 10, abs=2 * LOOK_S)


@virtual_time
async def test_what_was_given_back_and_claimed_anew_while_a_renewal_was_under_way_is_kept(postgres):
    """The renewal did not find it, because it stood in line again by then."""
    async with going(postgres) as rig:
        postgres.takes_s = 1.0
        rig.hold([MINE])
        await passes(lambda: postgres.renewals, "a renewal")
        postgres.taken = {MINE[:2]}
        rig.leases.drop([MINE])
        rig.hold([AGAIN])
        await asyncio.sleep(1.1)
        postgres.taken = set()
        await asyncio.sleep(60)
        assert rig.lost == []
        assert rig.leases.is_ours(AGAIN)


async def test_a_process_that_was_stopped_for_too_long_knows_it_before_any_loop_has_run(
    monkeypatch,
):
    leases, time = Leases("postgresql://somewhere/docmill", OWNER), [100.0]
    monkeypatch.setattr(leases_module, "_now", lambda: time[0])
    leases.add([MINE], 100.0, lambda _: None)
    time[0] += LEASE_S - 0.01
    assert leases.is_ours(MINE)
    time[0] += 0.01
    assert not leases.is_ours(MINE)


@virtual_time
async def test_losing_one_does_not_depend_on_postgres_answering_for_the_others(postgres):
    async with going(postgres) as rig:
        postgres.takes_s = TRY_S - 0.1
        rig.hold([MINE], ago_s=LEASE_S - 0.5)
        rig.hold([OTHER])
        await asyncio.sleep(1)
        assert [lease for lease, _ in rig.lost] == [MINE]


@virtual_time
async def test_a_statement_of_ours_that_is_wrong_ends_the_clock_and_so_the_process(postgres):
    rig = Rig(postgres)
    postgres.fault = psycopg.errors.UndefinedTable("leases")
    rig.hold([MINE])
    with pytest.raises(ExceptionGroup) as caught:
        await rig.leases.run()
    assert isinstance(caught.value.exceptions[0], psycopg.errors.UndefinedTable)
    assert not postgres.connections[0].is_open
