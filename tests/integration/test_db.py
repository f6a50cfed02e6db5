"""Several statements in one round trip are one transaction, whatever goes wrong in it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from tests.sessions import blocked
from tests.waiting import until
from worker import db as worker_db
from worker.db import Database

SQL = {
    "add": "INSERT INTO t VALUES (%(n)s) RETURNING n",
    "fail": "SELECT 1 / %(n)s",
    "wait": "SELECT pg_sleep(%(n)s)",
    "lock": "UPDATE t SET n = n WHERE n = %(n)s",
}


@pytest.fixture
async def database(
    database_url: str, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    monkeypatch.setattr(worker_db, "load_sql", lambda _, name: SQL[name])
    db.execute("CREATE TABLE t (n integer)")
    opened = Database(database_url, connections=1)
    await opened.open()
    yield opened
    await opened.close()


def numbers(db: psycopg.Connection) -> list[Any]:
    return [row[0] for row in db.execute("SELECT n FROM t ORDER BY n").fetchall()]


async def test_every_statement_gives_its_rows(database: Database, db: psycopg.Connection) -> None:
    rows = await database.run_each([("add", {"n": 1}), ("add", {"n": 2})])
    assert rows == [[{"n": 1}], [{"n": 2}]]
    assert numbers(db) == [1, 2]


async def test_a_statement_that_fails_takes_the_others_back_and_the_connection_goes_on(
    database: Database, db: psycopg.Connection
) -> None:
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await database.run_each([("add", {"n": 1}), ("fail", {"n": 0}), ("add", {"n": 2})])
    await database.run_each([("add", {"n": 3}), ("add", {"n": 4})])
    assert numbers(db) == [3, 4]


async def test_a_parameter_that_cannot_be_sent_takes_the_others_back(
    database: Database, db: psycopg.Connection
) -> None:
    with pytest.raises(psycopg.ProgrammingError):
        await database.run_each([("add", {"n": 1}), ("add", {"n": object()})])
    await database.run("add", n=5)
    assert numbers(db) == [5]


async def test_a_cancelled_write_leaves_nothing_behind(
    database: Database, db: psycopg.Connection
) -> None:
    db.execute("INSERT INTO t VALUES (0)")
    with db.transaction():
        db.execute("UPDATE t SET n = n")
        write = asyncio.create_task(database.run_each([("add", {"n": 1}), ("lock", {"n": 0})]))
        await until(lambda: blocked(db) == 1, "the write waits for the lock")
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
    await database.run("add", n=6)
    assert numbers(db) == [0, 6]


async def test_a_statement_that_takes_too_long_is_ended_and_the_connection_goes_on(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_db, "STATEMENT_S", 0.2)
    hurried = Database(database_url, connections=1)
    await hurried.open()
    try:
        with pytest.raises(psycopg.errors.QueryCanceled):
            await hurried.run("wait", n=30)
        assert await hurried.run("add", n=7) == [{"n": 7}]
    finally:
        await hurried.close()


async def test_a_postgres_that_says_nothing_is_an_outage_and_its_connection_is_given_up(
    database: Database, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_db, "ANSWER_S", 0.2)
    with pytest.raises(psycopg.OperationalError, match="no answer"):
        await database.run_once([("wait", {"n": 30})])
    assert await database.run("add", n=8) == [{"n": 8}]
    assert numbers(db) == [8]


@pytest.mark.parametrize("plan", ["enable_seqscan", "enable_bitmapscan"])
async def test_every_connection_looks_into_indexes_whatever_the_statistics_say(
    database: Database, monkeypatch: pytest.MonkeyPatch, plan: str
) -> None:
    monkeypatch.setitem(SQL, "said", f"SELECT current_setting('{plan}') AS said")
    assert await database.run("said") == [{"said": "off"}]


async def test_a_worker_that_freezes_between_two_statements_keeps_its_locks_for_a_while_only(
    database_url: str, database: Database, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_db, "STATEMENT_S", 1)
    await database.run("add", n=1)
    frozen = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    await worker_db.settle_in(frozen)
    with pytest.raises(psycopg.OperationalError):  # noqa: PT012 - said when it wakes up
        async with frozen.pipeline():
            await frozen.execute("UPDATE t SET n = 2")
            frozen.pgconn.send_flush_request()
            await until(lambda: frozen.pgconn.flush() == 0, "what it had to say is said")
            await asyncio.to_thread(db.execute, "SET lock_timeout = '10s'")
            await until(lambda: in_the_middle(db), "it holds its lock", every=0.05)
            await asyncio.to_thread(db.execute, "UPDATE t SET n = 3")
    assert numbers(db) == [3]


def in_the_middle(db: psycopg.Connection) -> bool:
    """Whether somebody is in the middle of a pipeline, with a change."""
    found = db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientRead' "
        "AND state = 'active' AND backend_xid IS NOT NULL"
    ).fetchone()
    return bool(found and found[0])
