"""Two transactions that meet: whichever is first, nothing stands still for ever or is lost.

Each test ends one of them only when the other waits for it, or has gone by.
"""

from typing import Any

import pytest

from models.failure import Failure
from producer import control
from tests.rows import (
    FRONTIER,
    LOCAL_TOO,
    Batch,
    Connection,
    add_batch,
    add_jobs,
    add_whole,
    column,
    let_lapse,
    one,
    value,
)
from tests.sessions import connect, meanwhile
from tests.statements import Worker, reap, run, run_producer
from worker.calls.retry import GiveUp, Retry
from worker.flow.housekeeping import House
from worker.run.outcome import Done, Part, Split, Turn

BAD = Failure("bad_json", "run", True, "no JSON")


async def keep_house(db: Connection, turns: int = 4) -> None:
    async def go(name: str, **params: Any) -> list[dict[str, Any]]:
        return run(db, name, **params)

    for _ in range(turns):
        await House(go, was_away=False).keep()


def is_open(db: Connection) -> bool:
    return value(db, "SELECT open FROM lines")


# --- lines and holds ------------------------------------------------------------------------------


def test_two_holds_that_end_at_the_same_moment_open_the_line(
    db: Connection, database_url: str
) -> None:
    jobs = add_jobs(db, add_batch(db), 2, FRONTIER)
    for code in ("budget", "day_budget"):
        db.execute("INSERT INTO holds (zone, code) VALUES ('frontier', %s)", (code,))
    with connect(database_url) as first:
        first.execute("DELETE FROM holds WHERE code = 'budget'")
        end = "DELETE FROM holds WHERE code = 'day_budget'"
        with meanwhile(db, database_url, lambda other: other.execute(end)):
            first.commit()
    assert Worker(db).take(FRONTIER.queue) == jobs


@pytest.mark.parametrize(
    "stop",
    [
        "INSERT INTO holds (zone, code) VALUES ('frontier', 'day_budget')",
        "UPDATE batches SET state = 'paused'",
    ],
)
def test_a_line_that_is_stopped_while_a_hold_of_it_ends_stays_stopped(
    db: Connection, database_url: str, stop: str
) -> None:
    add_jobs(db, add_batch(db), 2, FRONTIER)
    db.execute("INSERT INTO holds (zone, code) VALUES ('frontier', 'budget')")
    with connect(database_url) as first:
        first.execute(stop)
        end = "DELETE FROM holds WHERE code = 'budget'"
        with meanwhile(db, database_url, lambda other: other.execute(end)):
            first.commit()
    assert not is_open(db)
    assert Worker(db).take(FRONTIER.queue) == []


async def test_a_line_that_is_made_while_its_hold_ends_is_opened_by_the_leader(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    db.execute("INSERT INTO holds (zone, code) VALUES ('frontier', 'budget')")
    with connect(database_url) as first:
        first.execute("DELETE FROM holds")
        jobs = add_jobs(db, batch, 2, FRONTIER)
        first.commit()
    await keep_house(db)
    assert Worker(db).take(FRONTIER.queue) == jobs


async def test_a_line_that_is_made_while_a_hold_begins_is_closed_by_the_leader(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    with connect(database_url) as first:
        first.execute("INSERT INTO holds (zone, code) VALUES ('frontier', 'budget')")
        add_jobs(db, batch, 2, FRONTIER)
        first.commit()
    await keep_house(db)
    assert not is_open(db)


def test_a_line_that_is_made_while_its_batch_is_paused_waits_and_is_closed(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    with connect(database_url) as first:
        first.execute("UPDATE batches SET state = 'paused'")
        with meanwhile(db, database_url, lambda other: add_jobs(other, batch)):
            first.commit()
    assert not is_open(db)


# --- the end of a batch ---------------------------------------------------------------------------


def fail_all(db: Connection, batch: Batch) -> None:
    worker = Worker(db)
    jobs = worker.claim().calls
    worker.finish(*(Turn(job, batch.id, GiveUp(BAD)) for job in jobs))


async def test_jobs_that_are_brought_back_while_the_leader_closes_their_batch_are_done(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 2)
    fail_all(db, batch)
    with connect(database_url) as first:
        run_producer(first, "retry", batch=batch.id, reason=None, most=10)
        await keep_house(db)
        first.commit()
    assert Worker(db).take() == jobs
    assert one(db, "SELECT state, finished_at FROM batches") == ("running", None)


async def test_a_leader_that_looks_while_jobs_are_brought_back_does_not_close_their_batch(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 2)
    fail_all(db, batch)
    with connect(database_url) as closing:
        closing.execute("BEGIN")
        run(closing, "flow/close_batches", ids=[batch.id])

        def retry(other: Connection) -> None:
            run_producer(other, "retry", batch=batch.id, reason=None, most=10)

        with meanwhile(db, database_url, retry):
            closing.commit()
    await keep_house(db)
    assert Worker(db).take() == jobs


async def test_a_batch_is_not_closed_between_the_parts_of_a_retry(
    db: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 5)
    fail_all(db, batch)
    await keep_house(db)
    assert value(db, "SELECT state FROM batches") == "finished"
    monkeypatch.setattr(control, "RETRIED", 2)
    ran = control.one

    def and_the_leader_looks(name: str, **params: Any) -> Any:
        found = ran(name, **params)
        run(db, "flow/close_batches", ids=[batch.id])
        return found

    monkeypatch.setattr(control, "one", and_the_leader_looks)
    assert control.retry(batch.id).jobs == 5
    assert Worker(db).take() == jobs


def test_a_leader_does_not_wait_for_who_has_a_batch_locked(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    with connect(database_url) as slow:
        slow.execute("SELECT FROM batches FOR UPDATE")
        db.execute("SET statement_timeout = 500")
        run(db, "flow/close_batches", ids=[batch.id])
    run(db, "flow/close_batches", ids=[batch.id])
    assert value(db, "SELECT state FROM batches") == "finished"


# --- turns that end together ----------------------------------------------------------------------


def test_the_last_two_jobs_of_a_document_end_at_once_and_it_is_done(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 2)
    worker = Worker(db)
    first, second = worker.claim().calls.items()

    def end(connection: Connection, job: int, call: Any) -> None:
        Worker(connection, worker.owner).finish(
            Turn(job, batch.id, Done({"a": 1}, None, None, call))
        )

    with connect(database_url) as ending:
        ending.execute("BEGIN")
        end(ending, *first)
        with meanwhile(db, database_url, lambda other: end(other, *second)):
            ending.commit()
    assert one(db, "SELECT state, jobs_finished FROM documents") == ("done", 2)


def test_the_last_two_parts_of_a_document_end_at_once_and_it_goes_on_once(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    whole = add_whole(db, batch, 4)
    worker = Worker(db)
    call = worker.claim().calls[whole]
    halves = (Part(1, 1, 2, 2), Part(1, 3, 4, 2))
    worker.finish(Turn(whole, batch.id, Split(halves), unused=[call]))
    first, second = worker.claim().calls.items()

    def end(connection: Connection, job: int, call: Any) -> None:
        Worker(connection, worker.owner).finish(
            Turn(job, batch.id, Done({"a": 1}, None, None, call))
        )

    with connect(database_url) as ending:
        ending.execute("BEGIN")
        end(ending, *first)
        with meanwhile(db, database_url, lambda other: end(other, *second)):
            ending.commit()
    assert column(db, "SELECT item_id FROM waiting") == [whole]
    row = worker.claim().rows[whole]
    assert [part["value"] for part in row["found"]] == [{"a": 1}] * 2


def test_a_job_that_ends_while_its_lease_is_reaped_is_ended_once(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    [job] = add_jobs(db, batch)
    worker = Worker(db)
    call = worker.claim().calls[job]
    let_lapse(db)
    with connect(database_url) as ending:
        ending.execute("BEGIN")
        Worker(ending, worker.owner).finish(Turn(job, batch.id, Retry(BAD, 0.0), unused=[call]))
        assert reap(db)["all_of_them"] == 0
        ending.commit()
    assert column(db, "SELECT item_id FROM waiting") == [job]
    assert one(db, "SELECT attempts, kills FROM jobs") == (1, 0)


def test_a_job_that_ends_after_its_lease_was_reaped_is_left_to_the_next(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    [job] = add_jobs(db, batch)
    worker = Worker(db)
    worker.claim()
    let_lapse(db)
    with connect(database_url) as reaping:
        reaping.execute("BEGIN")
        assert reap(reaping)["jobs"] == 1
        late = Turn(job, batch.id, Retry(BAD, 0.0))
        with meanwhile(db, database_url, lambda other: Worker(other, worker.owner).finish(late)):
            reaping.commit()
    assert column(db, "SELECT item_id FROM waiting") == [job]
    assert one(db, "SELECT attempts, kills FROM jobs") == (0, 1)


def test_batches_that_meet_a_new_queue_at_once_have_one_line_each(
    db: Connection, database_url: str
) -> None:
    batch = add_batch(db)
    with connect(database_url) as first:
        jobs = add_jobs(first, batch, 1, LOCAL_TOO)
        with meanwhile(
            db, database_url, lambda other: jobs.extend(add_jobs(other, batch, 1, LOCAL_TOO))
        ):
            first.commit()
    assert value(db, "SELECT count(*) FROM lines") == 1
    assert sorted(Worker(db).take(LOCAL_TOO.queue)) == sorted(jobs)
