"""Jobs of equal asks, on a real Postgres: a language model is asked about one of them."""

from typing import Any

import pytest

from models.words import Stage
from tests.rows import (
    CLASSIFY,
    LOCAL,
    Connection,
    add_batch,
    add_pairs,
    column,
    let_lapse,
    one,
    rows,
    value,
)
from tests.statements import Row, Worker, as_json, reap, run

FOUND = {"task": "summary", "found_by": "model", "confidence": 0.9}


@pytest.fixture
def worker(db: Connection) -> Worker:
    return Worker(db)


def twins(db: Connection, number: int) -> list[int]:
    return add_pairs(db, add_batch(db), number, text="same")


def to_ask(found: list[Row]) -> list[int]:
    """The jobs whose pair this claim is to ask about."""
    return [row["id"] for row in found if row["to_ask"]]


def write(db: Connection, row: Row, **what: Any) -> None:
    """What was found of a pair, or that nothing was."""
    given = {"key": row["key"], "job_id": row["id"], "attempts": 0, "waits": 0, "deaths": 0, **what}
    run(db, "classify/verdicts", rows=as_json([given]))


def test_of_equal_pairs_one_is_asked_about(db: Connection, worker: Worker) -> None:
    first, *others = twins(db, 3)
    found = worker.classify(CLASSIFY)
    assert to_ask(found) == [first]
    assert [row["task"] for row in found] == [None] * 3
    assert column(db, "SELECT job_id FROM calls") == [first]
    worker.release(others, Stage.CLASSIFY)
    assert to_ask(Worker(db).classify(CLASSIFY)) == []


def test_what_was_found_is_there_for_all_equal_pairs_of_all_batches(
    db: Connection, worker: Worker
) -> None:
    twins(db, 1)
    [row] = worker.classify(CLASSIFY)
    write(db, row, **FOUND)
    others = twins(db, 2)
    found = Worker(db).classify(CLASSIFY)
    assert [(row["id"], row["task"], row["to_ask"]) for row in found] == [
        (job, "summary", False) for job in others
    ]
    assert value(db, "SELECT count(*) FROM calls") == 1


def test_the_pair_of_a_worker_that_died_is_asked_about_by_another(
    db: Connection, worker: Worker
) -> None:
    first, second = twins(db, 2)
    assert to_ask(worker.classify(CLASSIFY, 1)) == [first]
    other = Worker(db)
    assert to_ask(other.classify(CLASSIFY)) == []
    let_lapse(db, [first])
    reap(db)
    other.release([second], Stage.CLASSIFY)
    assert len(to_ask(other.classify(CLASSIFY))) == 1


def test_a_try_that_brought_nothing_frees_the_pair_and_counts(
    db: Connection, worker: Worker
) -> None:
    [job] = twins(db, 1)
    for count in ({"attempts": 1}, {"waits": 1}):
        [row] = worker.classify(CLASSIFY)
        write(db, row, **count)
        worker.release([job], Stage.CLASSIFY)
    assert one(db, "SELECT task, attempts, waits, job_id FROM classifications") == (
        *(None, 1, 1),
        None,
    )
    [row] = worker.classify(CLASSIFY)
    assert (row["to_ask"], row["attempts"], row["waits"]) == (True, 1, 1)


def test_a_verdict_stays_whatever_comes_after_it(db: Connection, worker: Worker) -> None:
    twins(db, 1)
    [row] = worker.classify(CLASSIFY)
    write(db, row, **FOUND)
    write(db, row, **FOUND | {"task": "extraction"})
    write(db, row, attempts=1)
    assert one(db, "SELECT task, attempts FROM classifications") == ("summary", 0)


def test_a_job_is_routed_by_who_holds_it_and_stands_in_its_new_line(
    db: Connection, worker: Worker
) -> None:
    [job] = twins(db, 1)
    worker.classify(CLASSIFY)
    row = {"job_id": job, "state": "ready", **FOUND, "fixed_tokens": 7}
    row |= {"zone": LOCAL.zone, "engine": LOCAL.engine, "model": LOCAL.model}
    run(db, "classify/finish", rows=as_json([row]), owner=Worker(db).owner)
    assert value(db, "SELECT state FROM jobs") == "pending"
    run(db, "classify/finish", rows=as_json([row]), owner=worker.owner)
    assert rows(db, "SELECT state, task, found_by, confidence, fixed_tokens FROM jobs") == [
        ("ready", "summary", "model", 0.9, 7)
    ]
    assert worker.take(LOCAL.queue) == [job]
