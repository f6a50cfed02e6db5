"""One process leads; the others take over when it is gone, and never because it is busy."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import pytest
import redis

from models.queue import depths
from tests.rows import (
    LOCAL,
    Connection,
    add_batch,
    add_jobs,
    column,
    let_lapse,
    states,
)
from tests.sessions import connect
from tests.statements import Worker
from tests.waiting import until
from worker.flow import housekeeping, leader
from worker.flow.leader import AWAY_S, LOCK, SILENCE_S, Leadership
from worker.flow.supply import MESSAGES


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


@asynccontextmanager
async def leading(url: str) -> AsyncIterator[asyncio.Task[None]]:
    """A process that tries for the lead."""
    task = asyncio.create_task(Leadership(url).run())
    try:
        yield task
    finally:
        await stop(task)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def rung() -> int:
    """Messages in the queue of the jobs here."""
    return depths([LOCAL.queue.name])[0]


def leaders(db: Connection) -> list[int]:
    """The sessions that have the lock: one, if any."""
    return column(
        db,
        "SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE l.locktype = 'advisory' AND l.objid = %s AND l.granted "
        "AND d.datname = current_database()",
        LOCK,
    )


async def test_a_leader_feeds_and_keeps_house(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    add_jobs(db, add_batch(db), 20)
    Worker(db).take(most=10)
    let_lapse(db)
    async with leading(database_url):
        await until(lambda: rung() == MESSAGES, "messages")
        await until(lambda: states(db) == {"ready": 20}, "what lapsed is back in line")


async def test_one_leads_and_another_takes_over_when_it_goes(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    add_jobs(db, add_batch(db), 20)
    async with leading(database_url) as first:
        await until(lambda: rung() == MESSAGES, "the first one feeds")
        [before] = leaders(db)
        async with leading(database_url):
            await stop(first)
            client.flushall()
            await until(lambda: rung() == MESSAGES, "the other one feeds", timeout=5)
            [after] = leaders(db)
    assert after != before


async def test_a_leader_that_fell_silent_is_deposed(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    """Its process was stopped: the connection stays open, and the lock with it."""
    add_jobs(db, add_batch(db), 3)
    with connect(database_url, autocommit=True) as frozen:
        frozen.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        frozen.execute(
            "INSERT INTO leader (one, backend_pid, beat_at) VALUES (true, pg_backend_pid(), "
            "now() - %s * interval '1 second')",
            (SILENCE_S + 1,),
        )
        async with leading(database_url):
            await until(lambda: rung() == MESSAGES, "a new leader", timeout=5)
        with pytest.raises(psycopg.OperationalError):
            frozen.execute("SELECT 1")


async def test_a_leader_that_is_busy_is_left_in_peace(
    db: Connection, database_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its housekeeping waits for a lock; it beats all the same."""
    monkeypatch.setattr(leader, "SILENCE_S", 0.6)
    monkeypatch.setattr(leader, "BEAT_S", 0.1)
    monkeypatch.setattr(leader, "TRY_S", 0.1)
    jobs = add_jobs(db, add_batch(db), 3)
    async with leading(database_url):
        await until(lambda: leaders(db), "a leader")
        first = leaders(db)
        with connect(database_url) as user:
            user.execute("LOCK TABLE delayed")
            beat = "SELECT beat_at > now() - interval '0.6 second' FROM leader"
            waits = "SELECT now() - query_start > interval '1.5 second' FROM pg_stat_activity "
            waits += "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            async with leading(database_url):
                await until(lambda: column(db, waits) == [True], "its work has waited for long")
                assert column(db, beat) == [True]
                assert leaders(db) == first
            user.rollback()
        await until(lambda: rung() == MESSAGES, "it feeds again")
        assert leaders(db) == first
    assert Worker(db).take() == jobs


async def test_a_session_at_work_is_never_deposed_however_long_it_was_silent(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    with connect(database_url) as busy, connect(database_url, autocommit=True) as beating:
        busy.execute("LOCK TABLE delayed")
        beating.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        beating.execute(
            "INSERT INTO leader (one, backend_pid, beat_at) VALUES (true, pg_backend_pid(), "
            "now() - interval '1 hour')"
        )
        waiting = asyncio.create_task(
            asyncio.to_thread(beating.execute, "SELECT count(*) FROM delayed")
        )
        await until(
            lambda: (
                column(db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                != [0]
            ),
            "it is at work",
        )
        params: dict[str, Any] = {"lock": LOCK, "silence_s": SILENCE_S}
        sql = leader.load_sql("worker", "flow/depose")
        assert db.execute(sql, params).fetchall() == []
        busy.rollback()
        await waiting
        assert db.execute(sql, params).fetchall() == [(True,)]


async def test_after_an_outage_the_living_renew_before_anything_is_reaped(
    db: Connection, database_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "LEASE_S", 1.0)
    db.execute(
        "INSERT INTO leader (one, backend_pid, beat_at) VALUES (true, 0, "
        "now() - %s * interval '1 second')",
        (AWAY_S + 1,),
    )
    add_jobs(db, add_batch(db), 20)
    Worker(db).take(most=10)
    let_lapse(db)
    async with leading(database_url):
        await until(lambda: rung() == MESSAGES, "it feeds")
        assert states(db) == {"ready": 10, "running": 10}
        await until(lambda: states(db) == {"ready": 20}, "those that nobody renewed")


async def test_a_leader_whose_work_meets_a_fault_leads_again(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    db.execute("ALTER TABLE delayed RENAME TO away")
    async with leading(database_url) as task:
        await until(lambda: leaders(db), "a leader")
        first = leaders(db)
        await until(lambda: leaders(db) not in ([], first), "it leads in another session")
        db.execute("ALTER TABLE away RENAME TO delayed")
        add_jobs(db, add_batch(db), 3)
        await until(lambda: rung() == MESSAGES, "it feeds", timeout=5)
        assert not task.done()
