"""Purging on real tables: block by block, from whatever state it was broken off in."""

from typing import Any

import psycopg
import pytest

from tests.rows import (
    FRONTIER,
    add_batch,
    add_configuration,
    add_jobs,
    add_pairs,
    add_unread,
    add_whole,
    column,
    one,
    rows,
    value,
)
from tests.statements import Worker, run
from worker.run.outcome import Done, Part, Split, Turn

Connection = psycopg.Connection[Any]


def done(db: Connection, batch: int, place: Any = FRONTIER) -> None:
    """Answer all that waits at this place, with a call of 1 USD each."""
    worker = Worker(db)
    for job, call in worker.claim(place).calls.items():
        cost = {"id": call, "state": "settled", "cost_usd": "1", "answer": "secret"}
        worker.settle(cost)
        worker.finish(Turn(job, batch, Done({"a": "secret"}, None, None, call)))


def over(db: Connection) -> None:
    db.execute("UPDATE batches SET state = 'finished', finished_at = now()")


def purge(db: Connection, batch: int, *, keep_costs: bool, most: int = 3) -> int:
    """Purge to the end; in how many blocks."""
    assert run(db, "purge/begin", batch=batch, keep_costs=keep_costs)
    blocks = 0
    while run(db, "purge/next", batch=batch, most=most)[0]["n"]:
        blocks += 1
        assert blocks < 100
    return blocks


def left(db: Connection) -> dict[str, int]:
    """How many rows the tables hold that may say something of a batch."""
    tables = ("documents", "document_contents", "chunks", "page_boxes", "asks", "jobs")
    tables = (*tables, "answers", "lines", "waiting", "delayed", "holds", "failed_jobs")
    counted = {table: value(db, f"SELECT count(*) FROM {table}") for table in tables}
    return {table: number for table, number in counted.items() if number}


def test_all_of_it_goes_block_by_block_and_nothing_of_others(db: Connection) -> None:
    batch = add_batch(db, name="gone")
    add_jobs(db, batch, 7, FRONTIER)
    add_pairs(db, batch, 2)
    add_unread(db, batch)
    whole = add_whole(db, batch, 4)
    worker = Worker(db)
    call = worker.claim().calls[whole]
    worker.finish(Turn(whole, batch.id, Split((Part(1, 1, 2, 2), Part(1, 3, 4, 2))), unused=[call]))
    done(db, batch.id)
    db.execute("UPDATE batches SET state = 'cancelled'")
    kept = add_batch(db, name="kept")
    add_jobs(db, kept, 2)
    db.execute("INSERT INTO page_boxes SELECT id, 1, 0, 1, '' FROM documents")
    before = left(db)

    assert purge(db, batch.id, keep_costs=True) > 3
    assert before != left(db)
    assert column(db, "SELECT DISTINCT batch_id FROM jobs") == [kept.id]
    kinds = {"documents", "chunks", "page_boxes", "asks", "jobs", "lines", "waiting"}
    assert set(left(db)) == kinds
    assert left(db)["page_boxes"] == left(db)["documents"]
    assert one(db, "SELECT name, state, purge_at FROM batches WHERE id = %s", batch.id) == (
        None,
        "purged",
        None,
    )


@pytest.mark.parametrize("keep_costs", [True, False])
def test_money_stays_with_the_batch_or_without_it(db: Connection, keep_costs: bool) -> None:
    batch = add_batch(db, max_cost_usd=100)
    add_jobs(db, batch, 5, FRONTIER)
    done(db, batch.id)
    over(db)
    purge(db, batch.id, keep_costs=keep_costs)
    whose = batch.id if keep_costs else None
    calls = rows(db, "SELECT batch_id, job_id, cost_usd, answer, answer_key FROM calls")
    assert calls == [(whose, None, 1, None, None)] * 5
    spent = rows(db, "SELECT batch_id, sum(known_usd), sum(calls) FROM spend GROUP BY 1")
    assert [row for row in spent if row[2]] == [(whose, 5, 5)]


def test_a_purge_that_was_broken_off_is_ended_by_the_leader(db: Connection) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 6, FRONTIER)
    done(db, batch.id)
    over(db)
    assert run(db, "purge/begin", batch=batch.id, keep_costs=False)
    run(db, "purge/next", batch=batch.id, most=2)
    assert left(db)
    for _ in range(10):
        run(db, "purge/next_due", most=2)
    assert left(db) == {}
    assert column(db, "SELECT DISTINCT batch_id FROM calls") == [None]


def test_costs_that_were_given_up_are_not_given_back_and_may_be_given_up_later(
    db: Connection,
) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 2, FRONTIER)
    done(db, batch.id)
    over(db)
    purge(db, batch.id, keep_costs=True)
    assert column(db, "SELECT DISTINCT batch_id FROM calls") == [batch.id]
    purge(db, batch.id, keep_costs=False)
    purge(db, batch.id, keep_costs=True)
    assert column(db, "SELECT DISTINCT batch_id FROM calls") == [None]


def test_a_batch_at_which_a_worker_is_is_not_purged(db: Connection) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 1)
    Worker(db).claim()
    db.execute("UPDATE batches SET state = 'cancelled'")
    assert run(db, "purge/begin", batch=batch.id, keep_costs=True) == []
    [state] = run(db, "purge/state", batch=batch.id)
    assert state["busy"]


def test_a_late_answer_of_a_purged_call_keeps_its_figures_only(db: Connection) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 1, FRONTIER)
    [call] = Worker(db).claim(FRONTIER).calls.values()
    db.execute("UPDATE calls SET state = 'lost', cost_usd = reserved_usd")
    db.execute("DELETE FROM leases")
    over(db)
    purge(db, batch.id, keep_costs=True)
    Worker(db).settle({"id": call, "state": "settled", "cost_usd": "2", "answer": "secret"})
    assert one(db, "SELECT state, cost_usd, answer FROM calls") == ("settled", 2, None)
    assert [row["id"] for row in run(db, "purge/purged_calls", ids=[call])] == [call]


def test_retention_begins_when_a_batch_ends_and_nothing_is_purged_before_it_is_over(
    db: Connection,
) -> None:
    add_configuration(db, retention={"days": 30})
    batch = add_batch(db)
    run(db, "flow/close_batches", ids=[batch.id])
    days = value(db, "SELECT extract(day FROM purge_at - finished_at) FROM batches")
    assert days == 30
    run(db, "purge/begin_due")
    assert value(db, "SELECT state FROM batches") == "finished"
    db.execute("UPDATE batches SET purge_at = now()")
    run(db, "purge/begin_due")
    assert value(db, "SELECT state FROM batches") == "purged"


def test_verdicts_go_when_they_are_as_old_as_texts_are_kept(db: Connection) -> None:
    insert = (
        "INSERT INTO classifications (key, task, since) VALUES "
        "(gen_random_uuid(), %s, now() - %s * interval '1 day')"
    )
    for task, age in (("summary", 31), ("summary", 29), (None, 31)):
        db.execute(insert, (task, age))
    add_configuration(db)
    run(db, "purge/verdicts", most=10)
    assert value(db, "SELECT count(*) FROM classifications") == 3
    add_configuration(db, retention={"days": 30})
    run(db, "purge/verdicts", most=10)
    assert value(db, "SELECT count(*) FROM classifications") == 2
