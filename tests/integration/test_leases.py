"""Leases with real workers' statements and real connections: nobody's job is worked on twice."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from models.failure import Failure
from models.sql import load_sql
from models.words import Tier
from worker.calls.journal import Journal
from worker.calls.retry import Retry, Wait
from worker.db import Database
from worker.persist import Persist
from worker.run.outcome import Done, Turn
from worker.settings import LEASE_S, MAX_KILLS

WHERE = {"engine": "ollama", "host": "h:1", "stand_in": False}
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def jobs(db: Connection) -> list[int]:
    """Forty ready jobs of one document."""
    return insert_jobs(db, 40)


def insert_jobs(db: Connection, number: int, *, local_only: bool = False, queue: str = "local"):
    (batch,) = one(db, "INSERT INTO batches (local_only) VALUES (%s) RETURNING id", local_only)
    (ask,) = one(
        db,
        "INSERT INTO asks (batch_id, ordinal, label, text, scope, documents) "
        "VALUES (%s, 1, 'a', 'a', 'chunk', '{}') RETURNING id",
        batch,
    )
    (document,) = one(
        db,
        "INSERT INTO documents (batch_id, path, media_type, bytes, sha256, state, jobs_total) "
        "VALUES (%s, 'p', 'text/plain', 1, '', 'ready', %s) RETURNING id",
        batch,
        number,
    )
    rows = db.execute(
        "WITH c AS (INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, "
        "char_end, tokens, text) SELECT %(d)s, n, 1, 1, 0, 1, 1, 'x' FROM "
        "generate_series(1, %(n)s) n RETURNING id) "
        "INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, task, "
        "queue, model, tokens) SELECT %(b)s, %(l)s, %(d)s, id, %(a)s, 'ready', 'summary', %(q)s, "
        "'m', 1 FROM c RETURNING id",
        {"d": document, "n": number, "b": batch, "l": local_only, "a": ask, "q": queue},
    )
    return [row[0] for row in rows]


def one(db: Connection, sql: str, *params: Any) -> tuple[Any, ...]:
    row = db.execute(sql, params).fetchone()
    assert row is not None
    return row


def run(db: Connection, name: str, **params: Any) -> list[tuple[Any, ...]]:
    cursor = db.execute(load_sql("worker", name), params)
    return cursor.fetchall() if cursor.description else []


def claim(db: Connection, ids: list[int], owner: UUID, queue: str = "local") -> dict[int, UUID]:
    """The jobs that the owner got, and the calls reserved for them."""
    cursor = db.execute(
        load_sql("worker", "claim_ready"),
        {
            "ids": ids,
            "queue": queue,
            "owner": owner,
            "lease_s": LEASE_S,
            "prices": Jsonb([]),
            "versions": Jsonb([]),
            "usd_per_day": None,
            "fixed": Jsonb([]),
            "answerer": "ollama",
            **WHERE,
        },
    )
    names = [column.name for column in cursor.description or ()]
    return {row[names.index("id")]: row[names.index("call_id")] for row in cursor}


def expire(db: Connection) -> None:
    db.execute("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE state = 'running'")


def states(db: Connection, table: str = "jobs") -> dict[str, int]:
    return dict(db.execute(f"SELECT state, count(*) FROM {table} GROUP BY 1").fetchall())


def test_claims_at_the_same_moment_share_the_jobs_without_overlap(
    db: Connection, database_url: str, jobs: list[int]
) -> None:
    got: list[dict[int, UUID]] = []
    start = threading.Barrier(4)

    def worker() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            start.wait()
            got.append(claim(connection, jobs, uuid4()))

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claimed = [job for part in got for job in part]
    assert sorted(claimed) == sorted(jobs)
    assert states(db, "calls") == {"reserved": len(jobs)}


def test_a_duplicate_message_finds_nothing(db: Connection, jobs: list[int]) -> None:
    assert len(claim(db, jobs, uuid4())) == len(jobs)
    assert claim(db, jobs, uuid4()) == {}


def test_the_frontier_never_gets_a_local_only_job(db: Connection) -> None:
    ids = insert_jobs(db, 3, local_only=True)
    assert claim(db, ids, uuid4(), "frontier") == {}


def test_leases_that_ran_out_go_back_in_line_and_their_calls_are_lost(
    db: Connection, jobs: list[int]
) -> None:
    claim(db, jobs, uuid4())
    assert run(db, "reap", max_kills=MAX_KILLS) == [(0,)]
    expire(db)
    assert run(db, "reap", max_kills=MAX_KILLS) == [(len(jobs),)]
    assert states(db) == {"ready": len(jobs)}
    assert states(db, "calls") == {"lost": len(jobs)}
    assert one(db, "SELECT max(attempts), min(kills) FROM jobs") == (0, 1)


def test_two_reapers_count_a_lease_once(db: Connection, database_url: str, jobs: list[int]) -> None:
    claim(db, jobs, uuid4())
    expire(db)
    with psycopg.connect(database_url) as first:
        assert run(first, "reap", max_kills=MAX_KILLS) == [(len(jobs),)]
        assert run(db, "reap", max_kills=MAX_KILLS) == [(0,)]
    assert one(db, "SELECT max(kills) FROM jobs") == (1,)


def test_a_job_met_at_the_end_of_too_many_workers_is_quarantined(db: Connection) -> None:
    ids = insert_jobs(db, 1)
    for _ in range(MAX_KILLS):
        assert claim(db, ids, uuid4())
        expire(db)
        run(db, "reap", max_kills=MAX_KILLS)
    assert states(db) == {"failed": 1}
    assert states(db, "documents") == {"done": 1}


def test_a_renewed_lease_is_not_reaped_and_only_its_owner_renews(
    db: Connection, jobs: list[int]
) -> None:
    owner = uuid4()
    claim(db, jobs, owner)
    expire(db)
    assert run(db, "renew_jobs", ids=jobs, owner=uuid4(), lease_s=LEASE_S) == []
    renewed = run(db, "renew_jobs", ids=jobs[:5], owner=owner, lease_s=LEASE_S)
    assert {row[0] for row in renewed} == set(jobs[:5])
    assert run(db, "reap", max_kills=MAX_KILLS) == [(len(jobs) - 5,)]


@pytest.fixture
async def persist(database_url: str, tmp_path: Any) -> AsyncIterator[Callable[[UUID], Persist]]:
    database = Database(database_url)
    await database.open()
    journal = Journal(tmp_path / "journal")
    yield lambda owner: Persist(database, journal, owner)
    journal.close()
    await database.close()


def done(job: int, call: UUID) -> Turn:
    return Turn(job, Done({"summary": str(call)}, None, None, call), [settled(call)])


def settled(call: UUID) -> dict[str, Any]:
    return {
        "id": call,
        "state": "settled",
        "input_tokens": 7,
        "output_tokens": 3,
        "answer": "{}",
        "finish": "stop",
        "request_key": call,
    }


async def test_the_answer_of_a_worker_that_lost_its_lease_is_paid_but_not_used(
    db: Connection, jobs: list[int], persist: Callable[[UUID], Persist]
) -> None:
    job = jobs[0]
    frozen, other = uuid4(), uuid4()
    late = claim(db, [job], frozen)[job]
    expire(db)
    run(db, "reap", max_kills=MAX_KILLS)
    current = claim(db, [job], other)[job]
    await persist(frozen).finish(done(job, late))
    assert states(db)["running"] == 1
    assert one(db, "SELECT count(*) FROM answers") == (0,)
    assert states(db, "calls") == {"settled": 1, "reserved": 1}
    await persist(other).finish(done(job, current))
    await persist(frozen).finish(done(job, late))
    assert db.execute("SELECT job_id, call_id FROM answers").fetchall() == [(job, current)]
    assert one(db, "SELECT jobs_finished FROM documents") == (1,)


async def test_a_late_answer_is_found_by_the_next_try(
    db: Connection, jobs: list[int], persist: Callable[[UUID], Persist]
) -> None:
    """It arrived and was paid for: nobody asks again."""
    job, frozen = jobs[0], uuid4()
    late = claim(db, [job], frozen)[job]
    expire(db)
    run(db, "reap", max_kills=MAX_KILLS)
    await persist(frozen).finish(done(job, late))
    rows = run(
        db, "claim_ready", ids=[job], queue="local", owner=uuid4(), lease_s=LEASE_S,
        prices=Jsonb([]), versions=Jsonb([]), usd_per_day=None, fixed=Jsonb([]),
        answerer="ollama", **WHERE,
    )  # fmt: skip
    assert rows[0][-1][str(late)]["call_id"] == str(late)


async def test_an_answer_that_was_judged_bad_is_not_given_to_the_next_try(
    db: Connection, jobs: list[int], persist: Callable[[UUID], Persist]
) -> None:
    owner, job = uuid4(), jobs[0]
    bad = claim(db, [job], owner)[job]
    failure = Failure("bad_json", "run", True, "no JSON")
    await persist(owner).finish(Turn(job, Retry(failure, 0.0), [settled(bad)]))
    rows = run(
        db, "claim_ready", ids=[job], queue="local", owner=owner, lease_s=LEASE_S,
        prices=Jsonb([]), versions=Jsonb([]), usd_per_day=None, fixed=Jsonb([]),
        answerer="ollama", **WHERE,
    )  # fmt: skip
    assert rows[0][-1] is None


async def test_a_turn_written_twice_counts_once(
    db: Connection, jobs: list[int], persist: Callable[[UUID], Persist]
) -> None:
    """As when the connection breaks after the commit and before its word of it."""
    owner = uuid4()
    held = claim(db, jobs, owner)
    turns = [done(job, call) for job, call in held.items()]
    for _ in range(2):
        await asyncio.gather(*(persist(owner).finish(turn) for turn in turns))
    assert states(db) == {"done": len(jobs)}
    assert one(db, "SELECT jobs_finished, state FROM documents") == (len(jobs), "done")
    assert one(db, "SELECT sum(input_tokens) FROM calls") == (7 * len(jobs),)


async def test_an_engine_in_trouble_costs_a_job_no_attempt(
    db: Connection, jobs: list[int], persist: Callable[[UUID], Persist]
) -> None:
    owner, job = uuid4(), jobs[0]
    for _ in range(8):
        call = claim(db, [job], owner)[job]
        failure = Failure("unavailable", "run", True, "away")
        await persist(owner).finish(Turn(job, Wait(failure, 0.0), [], [call]))
    assert one(db, "SELECT state, attempts, waits FROM jobs WHERE id = %s", job) == ("ready", 0, 8)
    assert states(db, "calls") == {}


def test_a_reservation_repeated_after_a_broken_connection_is_not_taken_for_a_lost_lease(
    db: Connection, jobs: list[int]
) -> None:
    owner = uuid4()
    claim(db, jobs[:1], owner)
    row = {"id": str(uuid4()), "job_id": jobs[0], "purpose": "repair", "reserved_usd": None}
    reserved = [
        run(db, "reserve_calls", rows=Jsonb([row]), owner=owner, usd_per_day=None, **WHERE)
        for _ in "12"
    ]
    assert reserved == [[(UUID(row["id"]), None, True)]] * 2
    assert (
        run(db, "reserve_calls", rows=Jsonb([row]), owner=uuid4(), usd_per_day=None, **WHERE) == []
    )
    assert states(db, "calls") == {"reserved": 2}


def test_release_leaves_no_trace_but_only_of_ones_own(db: Connection, jobs: list[int]) -> None:
    owner = uuid4()
    claim(db, jobs, owner)
    run(db, "release_jobs", ids=jobs, owner=uuid4())
    assert states(db) == {"running": len(jobs)}
    run(db, "release_jobs", ids=jobs, owner=owner)
    assert states(db) == {"ready": len(jobs)}
    assert states(db, "calls") == {}
    assert one(db, "SELECT max(attempts) FROM jobs") == (0,)


def test_a_paused_batch_hands_out_nothing(db: Connection, jobs: list[int]) -> None:
    db.execute("UPDATE batches SET state = 'paused'")
    assert claim(db, jobs, uuid4()) == {}


def test_both_tiers_have_a_queue_of_their_own(db: Connection) -> None:
    ids = insert_jobs(db, 2, queue="frontier")
    assert claim(db, ids, uuid4(), Tier.LOCAL) == {}
    assert len(claim(db, ids, uuid4(), Tier.FRONTIER)) == 2
