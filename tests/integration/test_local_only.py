"""Local-only fails closed: the database alone refuses, whoever writes to it."""

import psycopg
import pytest

from models.spec import make_spec
from producer.sources import Accepted
from producer.submit import submit

pytestmark = pytest.mark.usefixtures("database_url", "redis_url")


@pytest.fixture
def job(db: psycopg.Connection) -> tuple[int, int]:
    """(batch, job) of a local-only batch with one routed job."""
    spec = make_spec({"asks": [{"ask": "Sum up."}], "policy": "local-only"}, "test")
    batch = submit(spec, [Accepted("a.txt", "text/plain", b"text")]).batch
    assert batch is not None
    row = db.execute(
        "INSERT INTO jobs (batch_id, local_only, document_id, ask_id, state, task, queue, model,"
        " tokens) SELECT b.id, true, d.id, a.id, 'ready', 'summary', 'local', 'm', 1"
        " FROM batches b JOIN documents d ON d.batch_id = b.id JOIN asks a ON a.batch_id = b.id"
        " WHERE b.id = %s RETURNING id",
        (batch,),
    ).fetchone()
    assert row is not None
    return batch, row[0]


def test_a_job_cannot_be_put_on_the_frontier_queue(
    db: psycopg.Connection, job: tuple[int, int]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute("UPDATE jobs SET queue = 'frontier' WHERE id = %s", (job[1],))


def test_a_job_cannot_drop_its_policy(db: psycopg.Connection, job: tuple[int, int]) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.execute("UPDATE jobs SET local_only = false WHERE id = %s", (job[1],))


def test_a_batch_with_jobs_cannot_drop_its_policy(
    db: psycopg.Connection, job: tuple[int, int]
) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.execute("UPDATE batches SET local_only = false WHERE id = %s", (job[0],))


@pytest.mark.parametrize(
    ("local_only", "error"),
    [(True, psycopg.errors.CheckViolation), (False, psycopg.errors.ForeignKeyViolation)],
)
def test_no_frontier_call_can_be_written_into_the_ledger(
    db: psycopg.Connection, job: tuple[int, int], local_only: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        db.execute(
            "INSERT INTO calls (id, job_id, batch_id, local_only, purpose, tier, engine, host,"
            " stand_in, model_asked, owner, attempt) VALUES (gen_random_uuid(), %s, %s, %s, 'run',"
            " 'frontier', 'openai', 'h', false, 'm', gen_random_uuid(), 1)",
            (job[1], job[0], local_only),
        )


def test_the_frontier_claim_passes_over_a_local_only_batch_even_without_the_constraints(
    db: psycopg.Connection, job: tuple[int, int]
) -> None:
    """The worker's own refusal, with the database's taken away."""
    from uuid import uuid4

    from models.sql import load_sql

    db.execute("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_local_only")
    db.execute("UPDATE jobs SET queue = 'frontier' WHERE id = %s", (job[1],))
    claimed = db.execute(
        load_sql("worker", "claim_ready"),
        {
            "ids": [job[1]],
            "queue": "frontier",
            "owner": uuid4(),
            "lease_s": 15.0,
            "prices": "[]",
            "engine": "openai",
            "host": "h",
            "stand_in": False,
        },
    ).fetchall()
    assert claimed == []
