"""No look walks over finished work, and no duty of the leader grows with what waits or is held.

Counted in what Postgres looked at, not in seconds: that is the same on every machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.crowds import add_crowd, add_others, never_vacuumed
from tests.plans import explained
from tests.rows import LOCAL, Batch, Connection, add_batch, add_jobs, value
from tests.sessions import connect
from tests.statements import Worker, run, run_producer
from worker.db import BY_KEY
from worker.flow import housekeeping
from worker.flow.housekeeping import BEGINNING, MOST_DUE, House

MANY = 200_000
PASSED = 40_000

BOUND = 16_000
"""Rows that one statement may look at: some duties take 5,000 at a time, and touch each thrice."""

LARGE = ("jobs", "documents", "chunks", "waiting", "delayed", "counts", "answers")

PAGES = 120
"""Pages that a take may look at to find 32 jobs: their own, and the way to them in an index."""


@pytest.fixture
def leader(database_url: str) -> Iterator[Connection]:
    """The connection on which a leader works."""
    with connect(database_url, autocommit=True) as connection:
        connection.execute(BY_KEY)
        yield connection


def a_house(leader: Connection) -> House:
    async def go(name: str, **params: Any) -> list[dict[str, Any]]:
        return run(leader, name, **params)

    return House(go, was_away=False)


async def turn(leader: Connection) -> dict[str, int]:
    """One turn of a leader in which every duty is due: how many rows each statement looked at."""
    looked_at: dict[str, int] = {}

    async def go(name: str, **params: Any) -> list[dict[str, Any]]:
        with explained(leader) as looked:
            found = run(leader, name, **params)
        looked_at[name] = round(sum(scan.rows for scan in looked.scans))
        return found

    await House(go, was_away=False).keep()
    return looked_at


def too_much(looked_at: dict[str, int]) -> dict[str, int]:
    return {name: rows for name, rows in looked_at.items() if rows > BOUND}


# --- F1: a leader's turn --------------------------------------------------------------------------


@pytest.fixture
def crowd(db: Connection) -> Batch:
    """Two hundred thousand jobs that wait."""
    never_vacuumed(db)
    return add_crowd(db, MANY)


async def test_what_was_held_for_the_day_goes_on_at_its_end_in_one_turn(
    db: Connection, leader: Connection, crowd: Batch
) -> None:
    db.execute("INSERT INTO holds (zone, code, until) VALUES ('local', 'day_budget', now())")
    assert Worker(db).take() == []
    assert too_much(await turn(leader)) == {}
    assert len(Worker(db).take()) == 32


async def test_all_that_is_due_at_one_moment_comes_back_bit_by_bit(
    db: Connection, leader: Connection, crowd: Batch
) -> None:
    db.execute("DELETE FROM delayed")
    db.execute("INSERT INTO delayed SELECT line_id, item_id, now() FROM waiting")
    db.execute("DELETE FROM waiting")
    assert too_much(await turn(leader)) == {}
    assert 0 < value(db, "SELECT count(*) FROM waiting") < BOUND
    assert len(Worker(db).take()) == 32


async def test_leases_that_lapse_at_one_moment_come_back_bit_by_bit(
    db: Connection, leader: Connection, crowd: Batch
) -> None:
    db.execute("DELETE FROM leases")
    db.execute(
        "INSERT INTO leases (stage, item_id, line_id, owner, claim, until) SELECT 'run', item_id, "
        "line_id, gen_random_uuid(), gen_random_uuid(), now() FROM waiting LIMIT 50000"
    )
    db.execute("DELETE FROM waiting")
    assert too_much(await turn(leader)) == {}
    assert 0 < 50_000 - value(db, "SELECT count(*) FROM leases") < BOUND
    assert len(Worker(db).take()) == 32


async def test_a_batch_is_cancelled_and_paused_and_goes_on_without_a_look_at_its_jobs(
    db: Connection, leader: Connection, crowd: Batch
) -> None:
    for name, params in (
        ("pause", {}),
        ("resume", {"max_cost": None}),
        ("priority", {"priority": 3}),
        ("cancel", {}),
    ):
        with explained(db) as looked:
            run_producer(db, name, batch=crowd.id, **params)
        assert sum(scan.rows for scan in looked.scans if scan.table == "jobs") < BOUND
        assert sum(scan.rows for scan in looked.scans if scan.table == "waiting") < BOUND
    assert Worker(db).take() == []
    assert too_much(await turn(leader)) == {}


async def test_a_turn_is_as_short_with_five_hundred_open_batches(
    db: Connection, leader: Connection
) -> None:
    for _ in range(500):
        add_jobs(db, add_batch(db))
    for _ in range(3):
        assert too_much(await turn(leader)) == {}


async def test_the_status_of_a_batch_is_a_look_at_that_batch_alone(
    db: Connection, crowd: Batch
) -> None:
    add_others(db)
    batch = add_batch(db)
    add_jobs(db, batch, 100)
    Worker(db).take(most=50)
    db.execute("ANALYZE")
    for name in ("status", "stages", "failures", "pause", "resume", "cancel"):
        with explained(db) as looked:
            run_producer(
                db, name, batch=batch.id, **({"max_cost": None} if name == "resume" else {})
            )
        assert [str(scan) for scan in looked.of(*LARGE) if scan.rows > 1_000] == [], name


# --- F2: what has gone ----------------------------------------------------------------------------


@contextmanager
def an_old_snapshot(url: str) -> Iterator[None]:
    """Somebody reads for long: nothing that is deleted meanwhile can be cleared away."""
    with connect(url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM waiting")
        yield
        assert value(reader, "SELECT 1") == 1


def pass_through(db: Connection, batch: Batch, number: int) -> None:
    """So many jobs come, are taken and are done with."""
    worker = Worker(db)
    for _ in range(number // 1000):
        add_jobs(db, batch, 1000)
        assert len(worker.take(most=1000)) == 1000
        db.execute("DELETE FROM leases")


def pages_of(db: Connection, table: str, name: str, **params: Any) -> int:
    """Pages of a table and its indexes that a statement looks at to find its rows. What it does is
    taken back."""
    with db.transaction(force_rollback=True), explained(db) as looked:
        run(db, name, **params)
    return sum(scan.pages for scan in looked.of(table) if scan.kind != "ModifyTable")


def a_take(db: Connection) -> int:
    """Pages of `waiting` that a take looks at."""
    take = {"queue": LOCAL.queue.name, "stage": LOCAL.queue.stage, "most": 32, "lease_s": 15}
    return pages_of(db, "waiting", "flow/take", **take, claim=uuid4(), owner=uuid4())


def test_a_take_does_not_walk_over_what_was_taken_before_it(
    db: Connection, database_url: str, leader: Connection
) -> None:
    never_vacuumed(db)
    batch = add_batch(db)
    with an_old_snapshot(database_url):
        pass_through(db, batch, PASSED)
        add_jobs(db, batch, 100)
        before = a_take(leader)
        run(db, "flow/move_heads", after=0)
        assert a_take(leader) < PAGES
        assert pages_of(leader, "waiting", "flow/waiting_queues") < PAGES
        assert before > 10 * PAGES  # or this test says nothing


async def test_nor_does_a_look_for_what_is_due(
    db: Connection, database_url: str, leader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_vacuumed(db)
    house = a_house(leader)
    with an_old_snapshot(database_url):
        for _ in range(PASSED // MOST_DUE):
            db.execute(
                "INSERT INTO delayed SELECT 1, n, now() - interval '1 minute' "
                "FROM generate_series(1, %s) n",
                (MOST_DUE,),
            )
            db.execute("DELETE FROM delayed")
        whole = {"since": BEGINNING, "most": MOST_DUE}
        before = pages_of(leader, "delayed", "flow/bring_due", **whole)
        await house.keep()
        monkeypatch.setattr(housekeeping, "TURN_S", 0.0)
        with explained(leader) as looked:
            await house.keep()
    assert sum(scan.pages for scan in looked.of("delayed")) < PAGES < before
