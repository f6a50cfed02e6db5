"""Leases with the workers' own statements and real connections: no job is worked on twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.failure import Failure
from models.states import CallState
from models.words import INGEST, Stage
from tests.rows import (
    CLASSIFY,
    FRONTIER,
    Connection,
    add_batch,
    add_jobs,
    add_pairs,
    add_unread,
    column,
    let_lapse,
    make_due,
    one,
    rows,
    states,
    value,
)
from tests.sessions import connect
from tests.statements import Worker, as_json, bring_due, reap, run
from worker.calls.journal import Journal
from worker.calls.ledger import CallRow
from worker.calls.retry import Retry, Wait
from worker.db import Database
from worker.persist import Persist
from worker.run.outcome import Done, Turn
from worker.settings import MAX_DOCUMENT_KILLS, MAX_KILLS

BAD = Failure("bad_json", "run", True, "no JSON")


@pytest.fixture
def jobs(db: Connection) -> list[int]:
    """Forty ready jobs of one document."""
    return add_jobs(db, add_batch(db), 40)


@pytest.fixture
def worker(db: Connection) -> Worker:
    return Worker(db)


def test_what_is_taken_is_found_by_nobody_else(
    db: Connection, jobs: list[int], worker: Worker
) -> None:
    assert worker.take(most=40) == jobs
    assert Worker(db).take() == []
    assert states(db) == {"running": 40}


def test_leases_that_ran_out_go_back_in_line_and_their_calls_are_lost(
    db: Connection, jobs: list[int], worker: Worker
) -> None:
    worker.claim(most=40)
    assert reap(db)["all_of_them"] == 0
    let_lapse(db)
    assert reap(db)["jobs"] == 40
    assert states(db) == {"ready": 40}
    assert states(db, "calls") == {"lost": 40}
    assert one(db, "SELECT max(attempts), min(kills) FROM jobs") == (0, 1)
    assert Worker(db).take(most=40) == jobs


def test_documents_and_pairs_of_a_lost_worker_go_back_in_line_too(
    db: Connection, worker: Worker
) -> None:
    batch = add_batch(db)
    documents, pairs = add_unread(db, batch, 2), add_pairs(db, batch, 2)
    worker.take(INGEST)
    worker.classify(CLASSIFY)
    let_lapse(db)
    late = reap(db)
    assert (late["documents"], late["pairs"], late["jobs"]) == (2, 2, 0)
    assert Worker(db).take(INGEST) == documents
    assert [row["id"] for row in Worker(db).classify(CLASSIFY)] == pairs
    assert states(db, "calls") == {"lost": 2, "reserved": 2}
    assert column(db, "SELECT kills FROM documents WHERE state = 'pending'") == [1, 1]


def test_two_reapers_count_a_lease_once(
    db: Connection, database_url: str, jobs: list[int], worker: Worker
) -> None:
    worker.take(most=40)
    let_lapse(db)
    with connect(database_url) as first:
        assert reap(first)["jobs"] == len(jobs)
        assert reap(db)["all_of_them"] == 0
    assert value(db, "SELECT max(kills) FROM jobs") == 1


def test_a_reaper_takes_no_more_than_it_is_told_and_goes_on_where_it_stopped(
    db: Connection, jobs: list[int], worker: Worker
) -> None:
    worker.take(most=40)
    let_lapse(db)
    assert [reap(db, most=15)["jobs"] for _ in range(4)] == [15, 15, 10, 0]


def test_a_job_met_at_the_end_of_too_many_workers_is_quarantined(db: Connection) -> None:
    add_jobs(db, add_batch(db), 1)
    for _ in range(MAX_KILLS):
        assert Worker(db).take()
        let_lapse(db)
        reap(db)
    assert Worker(db).take() == []
    assert states(db) == {"failed": 1}
    assert column(db, "SELECT category FROM failed_jobs") == ["worker_lost"]
    assert states(db, "documents") == {"done": 1}


def test_so_is_a_document_after_fewer(db: Connection) -> None:
    add_unread(db, add_batch(db))
    for _ in range(MAX_DOCUMENT_KILLS):
        assert Worker(db).take(INGEST)
        let_lapse(db)
        reap(db)
    assert Worker(db).take(INGEST) == []
    assert states(db, "documents") == {"failed": 1}


def test_a_renewed_lease_is_not_reaped_and_only_its_owner_renews(
    db: Connection, jobs: list[int], worker: Worker
) -> None:
    worker.take(most=40)
    let_lapse(db)
    assert Worker(db).renew(jobs) == set()
    assert worker.renew(jobs, Stage.CLASSIFY) == set()
    assert worker.renew(jobs[:5]) == set(jobs[:5])
    assert reap(db)["jobs"] == len(jobs) - 5


def test_release_leaves_no_trace_but_only_of_ones_own(
    db: Connection, jobs: list[int], worker: Worker
) -> None:
    claim = worker.claim(most=40)
    Worker(db).release(jobs)
    assert states(db) == {"running": len(jobs)}
    worker.release(jobs, unused=list(claim.calls.values()))
    assert states(db) == {"ready": len(jobs)}
    assert states(db, "calls") == {}
    assert one(db, "SELECT max(attempts), max(waits), max(kills) FROM jobs") == (0, 0, 0)
    assert Worker(db).take(most=40) == jobs


def test_what_is_given_back_for_a_moment_is_found_when_it_has_passed(
    db: Connection, jobs: list[int], worker: Worker
) -> None:
    worker.take(most=40)
    worker.release(jobs, delay_s=60)
    bring_due(db)
    assert worker.take() == []
    make_due(db)
    bring_due(db)
    assert worker.take(most=40) == jobs


# --- turns ----------------------------------------------------------------------------------------


@pytest.fixture
async def persist(database_url: str, tmp_path: Path) -> AsyncIterator[Callable[[UUID], Persist]]:
    database = Database(database_url)
    await database.open()
    journal = Journal(tmp_path / "journal")
    yield lambda owner: Persist(database, journal, owner)
    journal.close()
    await database.close()


def done(job: int, call: UUID) -> Turn:
    return Turn(job, 0, Done({"summary": str(call)}, None, None, call), [settled(call)])


def settled(call: UUID) -> CallRow:
    return CallRow(
        call,
        CallState.SETTLED,
        input_tokens=7,
        output_tokens=3,
        answer="{}",
        finish="stop",
        request_key=call,
    )


async def test_the_answer_of_a_worker_that_lost_its_lease_is_paid_but_not_used(
    db: Connection, jobs: list[int], persist: Callable[[UUID], Persist]
) -> None:
    frozen, other = Worker(db), Worker(db)
    late = frozen.claim(most=1).calls
    [job] = late
    let_lapse(db)
    reap(db)
    current = other.claim(most=40).calls
    await persist(frozen.owner).finish(done(job, late[job]))
    assert states(db) == {"running": len(jobs)}
    assert value(db, "SELECT count(*) FROM answers") == 0
    assert states(db, "calls") == {"settled": 1, "reserved": len(jobs)}
    await persist(other.owner).finish(done(job, current[job]))
    await persist(frozen.owner).finish(done(job, late[job]))
    assert rows(db, "SELECT job_id, call_id FROM answers") == [(job, current[job])]
    assert value(db, "SELECT jobs_finished FROM documents") == 1


async def test_a_late_answer_is_found_by_the_next_try(
    db: Connection, persist: Callable[[UUID], Persist]
) -> None:
    """It arrived and was paid for: nobody asks again."""
    [job], frozen = add_jobs(db, add_batch(db), 1), Worker(db)
    late = frozen.claim().calls[job]
    let_lapse(db)
    reap(db)
    await persist(frozen.owner).finish(done(job, late))
    row = Worker(db).claim().rows[job]
    assert row["earlier"][str(late)]["call_id"] == str(late)


async def test_an_answer_that_was_judged_bad_is_not_given_to_the_next_try(
    db: Connection, persist: Callable[[UUID], Persist]
) -> None:
    [job], worker = add_jobs(db, add_batch(db), 1), Worker(db)
    bad = worker.claim().calls[job]
    await persist(worker.owner).finish(Turn(job, 0, Retry(BAD, 0.0), [settled(bad)]))
    assert worker.claim().rows[job]["earlier"] is None


async def test_a_turn_written_twice_counts_once(
    db: Connection, jobs: list[int], persist: Callable[[UUID], Persist]
) -> None:
    """As when the connection breaks after the commit and before its word of it."""
    worker = Worker(db)
    turns = [done(job, call) for job, call in worker.claim(most=40).calls.items()]
    for _ in range(2):
        await asyncio.gather(*(persist(worker.owner).finish(turn) for turn in turns))
    assert states(db) == {"done": len(jobs)}
    assert one(db, "SELECT jobs_finished, state FROM documents") == (len(jobs), "done")
    assert value(db, "SELECT sum(input_tokens) FROM calls") == 7 * len(jobs)
    assert value(db, "SELECT sum(attempts) FROM jobs") == len(jobs)


async def test_an_engine_in_trouble_costs_a_job_no_attempt(
    db: Connection, persist: Callable[[UUID], Persist]
) -> None:
    [job], worker = add_jobs(db, add_batch(db), 1), Worker(db)
    away = Wait(Failure("unavailable", "run", True, "away"), 0.0)
    for _ in range(8):
        call = worker.claim().calls[job]
        await persist(worker.owner).finish(Turn(job, 0, away, [], [call]))
    assert one(db, "SELECT state, attempts, waits FROM jobs") == ("ready", 0, 8)
    assert states(db, "calls") == {}


def reserve(worker: Worker, *wanted: dict[str, Any]) -> list[dict[str, Any]]:
    where = {"kind": "ollama", "host": "h:1", "stand_in": False, "usd_per_day": None}
    return run(worker.db, "calls/reserve", rows=as_json(wanted), owner=worker.owner, **where)


def test_a_repair_that_is_not_covered_says_whether_calls_under_way_may_give_something_back(
    db: Connection, worker: Worker
) -> None:
    [job] = add_jobs(db, add_batch(db, max_cost_usd="0.5"), 1, FRONTIER)
    call = worker.claim(FRONTIER).calls[job]
    wanted = {"id": uuid4(), "job_id": job, "purpose": "repair", "reserved_usd": "0.45"}
    [row] = reserve(worker, wanted)
    reserved = value(db, "SELECT reserved_usd FROM calls")
    assert (row["short_of"], row["under_way"], row["written"]) == ("batch", True, False)
    assert (row["spent_usd"], row["budget_usd"]) == (reserved, Decimal("0.5"))
    worker.settle({**asdict(settled(call)), "cost_usd": "0.1"})
    [row] = reserve(worker, wanted)
    assert (row["short_of"], row["under_way"]) == ("batch", False)


def test_a_reservation_repeated_after_a_broken_connection_is_not_taken_for_a_lost_lease(
    db: Connection, worker: Worker
) -> None:
    [job] = add_jobs(db, add_batch(db), 1)
    worker.claim()
    wanted = {"id": uuid4(), "job_id": job, "purpose": "repair", "reserved_usd": None}
    for _ in range(2):
        [row] = reserve(worker, wanted)
        assert (row["id"], row["short_of"], row["written"]) == (wanted["id"], None, True)
    assert reserve(Worker(db), wanted) == []
    assert states(db, "calls") == {"reserved": 2}
