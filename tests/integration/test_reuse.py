"""Twins, budgets and crashes at the claim: the real statements on a real Postgres."""

import threading
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from models.sql import load_sql
from tests.integration.test_leases import insert_jobs, one, states
from tests.waiting import wait_until

Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]

SHARED = {
    "prices": Jsonb(
        [{"model": "m", "task": "summary", "usd_per_token": "0.001", "usd_per_call": "0.1"}]
    ),
    "versions": Jsonb([{"task": "summary", "version": "v1"}]),
    "engine": "openai",
    "answerer": "openai@h:1",
    "host": "h:1",
    "stand_in": False,
    "lease_s": 15,
    "usd_per_day": None,
    "queue": "frontier",
}


def twins(db: Connection, number: int) -> list[int]:
    """Frontier jobs that ask the same of the same text."""
    ids = insert_jobs(db, number, queue="frontier")
    db.execute("UPDATE chunks SET sha256 = sha256(convert_to(text, 'UTF8'))")
    return ids


def apart(db: Connection, job: int) -> None:
    """Give a job a text of its own."""
    db.execute(
        "UPDATE chunks SET sha256 = sha256('other') "
        "WHERE id = (SELECT chunk_id FROM jobs WHERE id = %s)",
        (job,),
    )


def claim(db: Connection, ids: list[int], owner: UUID | None = None, **more: Any) -> list[Row]:
    """What a worker is given: claim_ready, claim_known and hold_over_budget in one transaction."""
    asks = db.execute("SELECT DISTINCT ask_id FROM jobs WHERE id = ANY(%s)", (ids,)).fetchall()
    fixed = Jsonb([{"ask_id": row[0], "task": "summary", "tokens": 50} for row in asks])
    params = {**SHARED, "ids": ids, "owner": owner or uuid4(), "fixed": fixed, **more}
    with db.transaction():
        cursor = db.cursor(row_factory=dict_row)
        rows = cursor.execute(load_sql("worker", "claim_ready"), params).fetchall()
        late = cursor.execute(load_sql("worker", "claim_known"), params).fetchall()
        cursor.execute(load_sql("worker", "hold_over_budget"), params)
    answers = {row["job_id"]: row["answer"] for row in late}
    return [{**row, "answer": row["answer"] or answers.get(row["id"])} for row in rows]


def settle(db: Connection, row: Row, **more: Any) -> None:
    call = {"id": str(row["call_id"]), "state": "settled", "cost_usd": "0.1", "finish": "stop"}
    call |= {"answer": "{}", "request_key": str(uuid4()), **more}
    db.execute(load_sql("worker", "settle_calls"), {"calls": Jsonb([call])})


def finish(db: Connection, row: Row, owner: UUID, **more: Any) -> None:
    outcome = {"job_id": row["id"], "state": "done", "attempts_back": 0, "waits": 0}
    outcome |= {"value": {"a": 1}, "call_id": str(row["call_id"]), **more}
    db.execute(load_sql("worker", "finish_jobs"), {"rows": Jsonb([outcome]), "owner": owner})


def of_last_month(db: Connection) -> None:
    """What is under way was begun in the last moments of last month."""
    db.execute(
        "UPDATE calls SET id = docmill_call_id(date_trunc('month', now(), 'UTC') - interval '1 s')"
    )


def answered(db: Connection, job: int) -> None:
    owner = uuid4()
    [row] = claim(db, [job], owner)
    settle(db, row)
    finish(db, row, owner)


def due(db: Connection) -> None:
    """What waits for a moment need not wait for it."""
    db.execute("UPDATE jobs SET not_before = NULL WHERE state = 'ready'")


def test_of_twins_one_asks_and_the_others_wait(db: Connection) -> None:
    ids = twins(db, 3)
    assert len(claim(db, ids)) == 1
    due(db)
    assert claim(db, ids) == []


def test_a_twin_of_a_call_that_was_begun_last_month_waits_for_it_too(db: Connection) -> None:
    db.execute("SELECT docmill_make_month(now() - interval '1 month')")
    first, second = twins(db, 2)
    owner = uuid4()
    claim(db, [first], owner)
    of_last_month(db)
    assert claim(db, [second]) == []
    due(db)
    (call,) = one(db, "SELECT id FROM calls")
    row = {"id": first, "call_id": call}
    settle(db, row)
    finish(db, row, owner)
    assert [row["answer"]["value"] for row in claim(db, [second])] == [{"a": 1}]


def test_an_answer_is_given_to_every_twin_at_once_and_costs_nothing(db: Connection) -> None:
    first, *others = twins(db, 5)
    answered(db, first)
    rows = claim(db, others)
    assert [row["answer"]["value"] for row in rows] == [{"a": 1}] * 4
    assert {row["reserved_usd"] for row in rows} == {0}


def test_a_claim_that_waited_for_its_twins_end_takes_its_answer(
    db: Connection, database_url: str
) -> None:
    first, second = twins(db, 2)
    owner, got = uuid4(), list[Row]()
    [row] = claim(db, [first], owner)
    with psycopg.connect(database_url) as ending:
        settle(ending, row)
        finish(ending, row, owner)

        def other() -> None:
            with psycopg.connect(database_url, autocommit=True) as connection:
                got.extend(claim(connection, [second]))

        claiming = threading.Thread(target=other)
        claiming.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: one(db, waits) == (1,), what="the claim waits for its twin")
        ending.commit()
        claiming.join()
    assert [row["answer"]["value"] for row in got] == [{"a": 1}]


def test_an_answer_that_arrived_before_a_crash_is_waited_for_and_not_asked_again(
    db: Connection,
) -> None:
    first, second = twins(db, 2)
    [row] = claim(db, [first])
    settle(db, row)  # the journal is replayed; the lease has still to run out
    assert claim(db, [second]) == []
    db.execute("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'running'")
    db.execute(load_sql("worker", "reap"), {"max_kills": 10})
    due(db)
    assert claim(db, [second]) == []
    [again] = claim(db, [first])
    assert next(iter(again["earlier"].values()))["text"] == "{}"


def test_a_paused_batch_keeps_no_twin_of_another_waiting(db: Connection) -> None:
    [first], [second] = twins(db, 1), twins(db, 1)
    [row] = claim(db, [first])
    settle(db, row)
    db.execute(
        "UPDATE batches SET state = 'paused' WHERE id = (SELECT batch_id FROM jobs WHERE id = %s)",
        (first,),
    )
    assert len(claim(db, [second])) == 1


def test_twins_of_a_request_that_brought_no_answer_ask_side_by_side(db: Connection) -> None:
    first, *others = twins(db, 4)
    owner = uuid4()
    [row] = claim(db, [first], owner)
    settle(db, row)
    finish(db, row, owner, state="ready", value=None, delay_s=60)  # a bad answer: try again later
    assert len(claim(db, others)) == 3


def test_a_worker_that_dies_with_a_known_answer_leaves_no_lost_call(db: Connection) -> None:
    first, second = twins(db, 2)
    answered(db, first)
    [row] = claim(db, [second])
    assert row["answer"]
    db.execute("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'running'")
    db.execute(load_sql("worker", "reap"), {"max_kills": 10})
    assert states(db, "calls") == {"settled": 1}


def test_a_call_that_was_reserved_and_forgotten_is_lost_after_a_lease(db: Connection) -> None:
    [job] = twins(db, 1)
    owner = uuid4()
    [row] = claim(db, [job], owner)
    finish(db, row, owner, state="ready", attempts_back=1, waits=1, value=None)
    db.execute(load_sql("worker", "reap_calls"), {"lease_s": 15})
    assert states(db, "calls") == {"reserved": 1}
    db.execute("UPDATE calls SET started_at = now() - interval '16 s'")
    db.execute(load_sql("worker", "reap_calls"), {"lease_s": 15})
    assert one(db, "SELECT state, cost_usd = reserved_usd FROM calls") == ("lost", True)
    due(db)
    assert len(claim(db, [job])) == 1


def test_the_calls_of_a_worker_that_lives_are_left_alone(db: Connection) -> None:
    ids = insert_jobs(db, 3, queue="frontier")
    claim(db, ids)
    db.execute("UPDATE calls SET started_at = now() - interval '1 hour'")
    db.execute(load_sql("worker", "reap_calls"), {"lease_s": 15})
    assert states(db, "calls") == {"reserved": 3}


@pytest.mark.parametrize("limit", ["batch", "day"])
def test_a_known_answer_needs_no_budget(db: Connection, limit: str) -> None:
    [first] = twins(db, 1)
    dear, known = twins(db, 2)
    apart(db, dear)
    answered(db, first)
    day = "0.01" if limit == "day" else None
    if limit == "batch":
        db.execute("UPDATE batches SET max_cost_usd = 0.05")
    rows = claim(db, [dear, known], usd_per_day=day)
    assert [(row["id"], row["answer"] is not None) for row in rows] == [(known, True)]
    state = one(db, "SELECT state, not_before > now() FROM jobs WHERE id = %s", dear)
    assert state == ("held", True if limit == "day" else None)


def test_what_a_held_job_had_already_paid_for_is_there_when_it_goes_on(db: Connection) -> None:
    [job] = twins(db, 1)
    owner = uuid4()
    [row] = claim(db, [job], owner)
    settle(db, row)
    held = {"state": "held", "attempts_back": 1, "waits": 1, "value": None}
    finish(db, row, owner, **held, error={"category": "budget"})
    db.execute("UPDATE jobs SET state = 'ready'")
    [again] = claim(db, [job])
    assert len(again["earlier"]) == 1


def test_only_what_waits_for_a_day_goes_on_by_itself(db: Connection) -> None:
    due_job, refused, waiting = insert_jobs(db, 3, queue="frontier")
    db.execute("UPDATE jobs SET not_before = now() - interval '1 s'")
    held = [{"job_id": refused, "reason": "402", "error": {"category": "quota"}}]
    db.execute("UPDATE jobs SET state = 'cancelled' WHERE id = %s", (due_job,))
    db.execute(load_sql("worker", "hold_rest"), {"rows": Jsonb(held)})
    db.execute(
        "UPDATE jobs SET state = 'held', error = %s WHERE id = %s",
        (Jsonb({"category": "budget"}), due_job),
    )
    db.execute(load_sql("worker", "resume_due"))
    found = dict(db.execute("SELECT id, state FROM jobs").fetchall())
    assert found == {due_job: "ready", refused: "held", waiting: "held"}


def test_a_pinned_chunk_is_refused_also_where_its_job_says_nothing(db: Connection) -> None:
    [job] = twins(db, 1)
    db.execute("UPDATE chunks SET pinned = 'pan'")
    assert claim(db, [job]) == []
    db.execute("UPDATE chunks SET pinned = NULL")
    assert len(claim(db, [job])) == 1
