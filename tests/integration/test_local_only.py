"""Local-only fails closed: the database alone refuses, and so does the frontier's claim alone."""

from uuid import uuid4

import psycopg
import pytest

from models.states import CallState
from tests.rows import (
    FRONTIER,
    LOCAL,
    Batch,
    Connection,
    add_batch,
    add_jobs,
    add_pairs,
    add_whole,
    column,
)
from tests.statements import Worker, as_json, run
from worker.calls.ledger import CallRow
from worker.run.outcome import Done, Turn

CONSTRAINTS = {
    "jobs": ("ck_jobs_local_only", "ck_jobs_pinned", "fk_jobs_batch_id_local_only"),
    "calls": ("ck_calls_local_only", "fk_calls_job_id_local_only"),
}


@pytest.fixture
def batch(db: Connection) -> Batch:
    return add_batch(db, local_only=True)


@pytest.fixture
def job(db: Connection, batch: Batch) -> int:
    """A ready job of a local-only batch."""
    [made] = add_jobs(db, batch)
    return made


def pin(db: Connection, table: str = "jobs") -> None:
    db.execute(f"UPDATE {table} SET pinned = 'pan'")


def to_frontier(db: Connection) -> None:
    db.execute("UPDATE jobs SET zone = 'frontier', engine = 'frontier'")


def drop_constraints(db: Connection) -> None:
    """The database refuses nothing any more."""
    for table, names in CONSTRAINTS.items():
        for name in names:
            db.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    db.execute("DROP TRIGGER policy_stays ON batches")


# --- the database ---------------------------------------------------------------------------------


def test_a_job_cannot_be_sent_to_the_frontier(db: Connection, job: int) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        to_frontier(db)


def test_nor_can_one_whose_text_holds_private_data(db: Connection) -> None:
    add_jobs(db, add_batch(db))
    pin(db)
    with pytest.raises(psycopg.errors.CheckViolation):
        to_frontier(db)


def test_a_job_at_the_frontier_cannot_become_private(db: Connection) -> None:
    add_jobs(db, add_batch(db), 1, FRONTIER)
    with pytest.raises(psycopg.errors.CheckViolation):
        pin(db)


def test_a_job_cannot_drop_its_policy(db: Connection, job: int) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.execute("UPDATE jobs SET local_only = false")


def test_a_batch_cannot_drop_its_policy_with_jobs_or_before_it_has_any(
    db: Connection, job: int
) -> None:
    add_batch(db, local_only=True)
    for batch in column(db, "SELECT id FROM batches"):
        with pytest.raises(psycopg.errors.CheckViolation, match="cannot be changed"):
            db.execute("UPDATE batches SET local_only = false WHERE id = %s", (batch,))


def test_the_key_holds_a_batch_to_its_jobs_also_without_the_trigger(
    db: Connection, job: int
) -> None:
    db.execute("DROP TRIGGER policy_stays ON batches")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.execute("UPDATE batches SET local_only = false")


@pytest.mark.parametrize(
    ("local_only", "error"),
    [(True, psycopg.errors.CheckViolation), (False, psycopg.errors.ForeignKeyViolation)],
)
def test_no_frontier_call_can_be_written_into_the_ledger(
    db: Connection, batch: Batch, job: int, local_only: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        db.execute(
            "INSERT INTO calls (id, job_id, batch_id, local_only, purpose, zone, engine, kind, "
            "host, stand_in, model_asked, owner, attempt) VALUES (docmill_call_id(), %s, %s, %s, "
            "'run', 'frontier', 'frontier', 'openai', 'h', false, 'm', gen_random_uuid(), 1)",
            (job, batch.id, local_only),
        )


@pytest.mark.parametrize("statement", ["run/finish", "classify/finish"])
def test_no_outcome_can_send_it_there(db: Connection, batch: Batch, statement: str) -> None:
    """By escalation, or by a verdict."""
    stage = statement.partition("/")[0]
    [job] = add_jobs(db, batch) if stage == "run" else add_pairs(db, batch)
    owner = uuid4()
    db.execute(
        "INSERT INTO leases (stage, item_id, line_id, owner, claim, until) "
        "SELECT %s, %s, id, %s, %s, now() + interval '1 hour' FROM lines",
        (stage, job, owner, owner),
    )
    row = {
        "job_id": job,
        "state": "ready",
        "task": "summary",
        "attempts": 0,
        "waits": 0,
        "deaths": 0,
    }
    row |= {"zone": "frontier", "engine": "frontier", "model": "m"}
    with pytest.raises(psycopg.errors.CheckViolation):
        run(db, statement, rows=as_json([row]), owner=owner)
    assert column(db, "SELECT zone FROM jobs") == ["local"]


# --- the frontier's claim -------------------------------------------------------------------------


@pytest.mark.parametrize("who_says_so", ["the job and its batch", "its batch", "the job"])
def test_the_frontiers_claim_passes_over_a_local_only_job_even_without_the_constraints(
    db: Connection, job: int, who_says_so: str
) -> None:
    [other] = add_jobs(db, add_batch(db))
    drop_constraints(db)
    to_frontier(db)
    if "job" not in who_says_so:
        db.execute("UPDATE jobs SET local_only = false")
    if "batch" not in who_says_so:
        db.execute("UPDATE batches SET local_only = false")
    assert_only(db, other, refused=job)


@pytest.mark.parametrize("who_says_so", ["jobs", "chunks"])
def test_so_it_does_with_a_job_whose_text_holds_private_data(
    db: Connection, who_says_so: str
) -> None:
    [job] = add_jobs(db, add_batch(db))
    drop_constraints(db)
    pin(db, who_says_so)
    [other] = add_jobs(db, add_batch(db))
    to_frontier(db)
    assert_only(db, other, refused=job)


def test_so_it_does_with_a_document_of_which_one_chunk_holds_private_data(db: Connection) -> None:
    job, other = add_whole(db, add_batch(db)), add_whole(db, add_batch(db))
    drop_constraints(db)
    db.execute(
        "UPDATE chunks SET pinned = 'pan' WHERE ordinal = 2 AND document_id = "
        "(SELECT document_id FROM jobs WHERE id = %s)",
        (job,),
    )
    to_frontier(db)
    assert_only(db, other, refused=job)


def assert_only(db: Connection, free: int, *, refused: int) -> None:
    """The frontier's claim brings the one and refuses the other, without a call."""
    claim = Worker(db).claim(FRONTIER)
    assert (set(claim.taken), list(claim.rows)) == ({free, refused}, [free])
    assert claim.short_of == {refused: "policy"}
    assert column(db, "SELECT job_id FROM calls") == [free]


# --- reuse ----------------------------------------------------------------------------------------


def test_no_local_only_job_is_given_what_a_frontier_model_said(
    db: Connection, batch: Batch
) -> None:
    [asked] = add_jobs(db, add_batch(db), 1, FRONTIER, text="same")
    worker = Worker(db)
    call = worker.claim(FRONTIER).calls[asked]
    answered = CallRow(call, CallState.SETTLED, answer="{}")
    worker.finish(Turn(asked, 0, Done({"a": 1}, None, None, call), [answered]))
    [twin] = add_jobs(db, add_batch(db), 1, FRONTIER, text="same")
    assert worker.claim(FRONTIER).rows[twin]["answer"] is not None
    [job] = add_jobs(db, batch, 1, LOCAL, text="same")
    assert worker.claim(LOCAL).rows[job]["answer"] is None
