"""A document of which something is missing is read again beside what was read before, and takes its
place once all of it is done."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from models.failure import Failure
from models.words import INGEST
from tests.recount import offences
from tests.rows import FRONTIER, Batch, add_batch, add_jobs, add_unread, column, one, rows, value
from tests.statements import Worker, as_json, run, run_producer
from worker.calls.retry import GiveUp
from worker.run.outcome import Done, Turn

Connection = psycopg.Connection[Any]

GAPS = [{"why": "needs_ocr", "pages": "2"}]
VALUE = {"a": "known"}


def add_partly(db: Connection, batch: Batch, jobs: int = 2) -> int:
    """A document of which a page is missing and all jobs are done, at 1 USD each."""
    document = value(
        db, "SELECT document_id FROM jobs WHERE id = %s", add_jobs(db, batch, jobs, FRONTIER)[0]
    )
    db.execute("UPDATE documents SET missing = %s WHERE id = %s", (Jsonb(GAPS), document))
    db.execute("INSERT INTO document_contents VALUES (%s, 'bytes')", (document,))
    answer(db, batch)
    return int(document)


def answer(db: Connection, batch: Batch) -> None:
    """Answer all that waits."""
    worker = Worker(db)
    for job, call in worker.claim(FRONTIER).calls.items():
        worker.settle({"id": call, "state": "settled", "cost_usd": "1", "answer": "secret"})
        worker.finish(Turn(job, batch.id, Done(VALUE, None, None, call)))


def reread(db: Connection, batch: Batch) -> int:
    [made] = run_producer(db, "reread_documents", batch=batch.id, most=10)
    return int(made["documents"])


def replace(db: Connection) -> int:
    [done] = run(db, "flow/replace_documents", most=10)
    assert offences(db) == []
    return int(done["n"])


def read_again(db: Connection, batch: Batch, *texts: str) -> int:
    """Read the document that waits; a job about each of these texts of it."""
    worker = Worker(db)
    [document] = worker.take(INGEST)
    read = {"id": document, "state": "ready", "pages": 2, "notes": [], "jobs_finished": 0}
    at = {"page_from": 1, "page_to": 1, "char_start": 0, "char_end": 1, "tokens": 1}
    job = {"ask_id": batch.ask, "state": "ready", "task": "summary", "found_by": "user"}
    place = {"zone": FRONTIER.zone, "engine": FRONTIER.engine, "model": FRONTIER.model}
    numbered = list(enumerate(texts, 1))
    run(
        db,
        "ingest/finish",
        documents=as_json([{**read, "jobs_total": len(texts)}]),
        chunks=as_json(
            [{**at, "document_id": document, "ordinal": n, "text": text} for n, text in numbered]
        ),
        boxes=as_json([]),
        jobs=as_json(
            [
                {
                    **job,
                    **place,
                    "document_id": document,
                    "chunk": n,
                    "tokens": 1,
                    "fixed_tokens": 0,
                }
                for n, _ in numbered
            ]
        ),
        owner=worker.owner,
    )
    return document


def test_it_is_put_in_line_beside_what_was_read_and_once(db: Connection) -> None:
    batch = add_batch(db)
    document = add_partly(db, batch)
    db.execute("UPDATE batches SET state = 'finished', finished_at = now()")
    assert reread(db, batch) == 1
    assert reread(db, batch) == 0
    made = one(
        db,
        "SELECT d.state, d.replaces, d.missing, c.data FROM documents d "
        "JOIN document_contents c ON c.document_id = d.id WHERE d.id <> %s",
        document,
    )
    assert made == ("pending", document, None, b"bytes")
    assert value(db, "SELECT state FROM batches") == "running"
    assert len(column(db, "SELECT value FROM answers")) == 2
    assert offences(db) == []


def test_only_documents_are_read_again_of_which_something_is_missing_and_nothing_is_under_way(
    db: Connection,
) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 2, FRONTIER)
    answer(db, batch)
    add_unread(db, batch)
    under_way = add_jobs(db, batch, 1, FRONTIER)
    db.execute(
        "UPDATE documents SET missing = %s WHERE id = (SELECT document_id FROM jobs WHERE id = %s)",
        (Jsonb(GAPS), under_way[0]),
    )
    assert reread(db, batch) == 0


def test_what_was_read_before_goes_once_all_of_the_new_reading_is_done(db: Connection) -> None:
    batch = add_batch(db)
    document = add_partly(db, batch)
    reread(db, batch)
    assert replace(db) == 0
    again = read_again(db, batch, "one", "two", "three")
    assert replace(db) == 0
    assert value(db, "SELECT count(*) FROM answers") == 2
    answer(db, batch)
    spent = rows(db, "SELECT sum(usd), sum(calls) FROM spend")

    assert replace(db) == 1
    assert rows(db, "SELECT id, replaces FROM documents") == [(again, None)]
    assert column(db, "SELECT DISTINCT document_id FROM jobs") == [again]
    assert value(db, "SELECT count(*) FROM answers") == 3
    assert document not in column(db, "SELECT document_id FROM document_contents")
    assert rows(db, "SELECT sum(usd), sum(calls) FROM spend") == spent
    left = rows(db, "SELECT cost_usd, answer, answer_key FROM calls WHERE job_id IS NULL")
    assert left == [(1, None, None)] * 2
    assert replace(db) == 0


def proved(db: Connection, batch: Batch) -> list[tuple[Any, ...]]:
    """What the receipt says that each engine was sent."""
    found = run_producer(db, "receipt", batch=batch.id)
    return [(row["model"], row["calls"], row["chunks"], row["chunks_sha256"]) for row in found]


def test_the_receipt_still_proves_what_was_sent_of_what_was_read_before(db: Connection) -> None:
    batch = add_batch(db)
    add_partly(db, batch)
    db.execute("UPDATE jobs SET chunk_id = NULL WHERE id = (SELECT min(id) FROM jobs)")
    reread(db, batch)
    again = read_again(db, batch, "one", "two")
    answer(db, batch)
    [(*_, calls, chunks, _)] = before = proved(db, batch)
    assert (calls, chunks) == (4, 4)
    assert replace(db) == 1
    assert proved(db, batch) == before
    db.execute("UPDATE documents SET missing = %s WHERE id = %s", (Jsonb(GAPS), again))
    db.execute("INSERT INTO document_contents VALUES (%s, '') ON CONFLICT DO NOTHING", (again,))
    reread(db, batch)
    read_again(db, batch, "three")
    answer(db, batch)
    before = proved(db, batch)
    assert replace(db) == 1
    assert proved(db, batch) == before
    assert before[0][2] == 5


def test_what_was_proved_goes_with_a_purge_of_its_batch(db: Connection) -> None:
    batch = add_batch(db)
    add_partly(db, batch)
    reread(db, batch)
    read_again(db, batch, "one")
    answer(db, batch)
    replace(db)
    assert value(db, "SELECT count(*) FROM sent_chunks") == 2
    db.execute("UPDATE batches SET state = 'purged', keeps_costs = true, finished_at = now()")
    while value(db, "SELECT docmill_purge(%s, 10)", batch.id):
        pass
    assert value(db, "SELECT count(*) FROM sent_chunks") == 0
    assert value(db, "SELECT count(*) FROM calls") == 3


def test_documents_of_a_submit_that_did_not_end_are_not_read_again_yet(db: Connection) -> None:
    batch = add_batch(db, submitted=False)
    add_partly(db, batch)
    assert reread(db, batch) == 0
    db.execute("UPDATE batches SET submitted_at = now()")
    assert reread(db, batch) == 1


def test_answers_about_what_did_not_change_are_used_again(db: Connection) -> None:
    batch = add_batch(db)
    add_partly(db, batch)
    reread(db, batch)
    read_again(db, batch, *column(db, "SELECT text FROM chunks ORDER BY ordinal"), "new")
    claim = Worker(db).claim(FRONTIER)
    known = [row["answer"] for row in claim.rows.values() if row["answer"]]
    assert [answer["value"] for answer in known] == [VALUE, VALUE]
    assert len(claim.rows) == 3


@pytest.mark.parametrize("state", ["failed", "needs_ocr"])
def test_what_was_read_before_stays_where_it_could_not_be_read_again(
    db: Connection, state: str
) -> None:
    batch = add_batch(db)
    document = add_partly(db, batch)
    reread(db, batch)
    worker = Worker(db)
    [again] = worker.take(INGEST)
    error = {"category": "damaged", "phase": "ingest", "retryable": False, "message": "no"}
    failure = {"id": again, "state": state, "kills": 0, "delay_s": None, "error": error}
    run(db, "ingest/fail", rows=as_json([failure]), owner=worker.owner)

    assert replace(db) == 1
    assert rows(db, "SELECT id, state, notes FROM documents") == [
        (document, "done", ["read again in vain: no"])
    ]
    assert value(db, "SELECT count(*) FROM answers") == 2
    assert reread(db, batch) == 1


def test_a_reading_with_failed_jobs_waits_until_they_are_retried(db: Connection) -> None:
    batch = add_batch(db)
    add_partly(db, batch)
    reread(db, batch)
    read_again(db, batch, "one")
    worker = Worker(db)
    [(job, call)] = worker.claim(FRONTIER).calls.items()
    worker.settle({"id": call, "state": "settled", "cost_usd": "1", "answer": "?"})
    worker.finish(Turn(job, batch.id, GiveUp(Failure("invalid_output", "run", False, "no"))))
    assert replace(db) == 0
    run_producer(db, "retry", batch=batch.id, reason=None, most=10)
    answer(db, batch)
    assert replace(db) == 1


def test_answers_that_people_ruled_on_stay(db: Connection) -> None:
    batch = add_batch(db)
    document = add_partly(db, batch)
    reread(db, batch)
    again = read_again(db, batch, "one", "two", "three")
    answer(db, batch)
    db.execute(
        "INSERT INTO corrections (job_id, field, path, ruling, old, new, reviewer, call_id) "
        "SELECT job_id, 'a', '{a}', 'confirmed', '1', '1', 'p', call_id FROM answers "
        "JOIN jobs ON jobs.id = job_id WHERE document_id = %s LIMIT 1",
        (document,),
    )
    assert replace(db) == 1
    assert sorted(column(db, "SELECT id FROM documents")) == sorted([document, again])
    assert replace(db) == 0
    assert reread(db, batch) == 0
