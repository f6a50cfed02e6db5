"""Local-only fails closed: the database alone refuses, whoever writes to it."""

from uuid import uuid4

import psycopg
import pytest

from models.spec import make_spec
from models.sql import load_sql
from producer.sources import Accepted
from producer.submit import submit

pytestmark = pytest.mark.usefixtures("database_url", "redis_url")


def ready_job(db: psycopg.Connection, policy: str) -> tuple[int, int]:
    """(batch, job) of a batch with one routed job."""
    spec = make_spec({"asks": [{"ask": "Sum up."}], "policy": policy}, "test")
    batch = submit(spec, [Accepted("a.txt", "text/plain", b"text")]).batch
    assert batch is not None
    row = db.execute(
        "INSERT INTO jobs (batch_id, local_only, document_id, ask_id, state, task, queue, model,"
        " tokens) SELECT b.id, b.local_only, d.id, a.id, 'ready', 'summary', 'local', 'm', 1"
        " FROM batches b JOIN documents d ON d.batch_id = b.id JOIN asks a ON a.batch_id = b.id"
        " WHERE b.id = %s RETURNING id",
        (batch,),
    ).fetchone()
    assert row is not None
    return batch, row[0]


@pytest.fixture
def job(db: psycopg.Connection) -> tuple[int, int]:
    """(batch, job) of a local-only batch."""
    return ready_job(db, "local-only")


def test_a_job_cannot_be_put_on_the_frontier_queue(
    db: psycopg.Connection, job: tuple[int, int]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute("UPDATE jobs SET queue = 'frontier' WHERE id = %s", (job[1],))


def test_a_job_cannot_drop_its_policy(db: psycopg.Connection, job: tuple[int, int]) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.execute("UPDATE jobs SET local_only = false WHERE id = %s", (job[1],))


def test_a_batch_cannot_drop_its_policy_with_jobs_or_before_it_has_any(
    db: psycopg.Connection, job: tuple[int, int]
) -> None:
    db.execute("INSERT INTO batches (local_only) VALUES (true)")
    for row in db.execute("SELECT id FROM batches").fetchall():
        with pytest.raises(psycopg.errors.CheckViolation, match="cannot be changed"):
            db.execute("UPDATE batches SET local_only = false WHERE id = %s", row)


def test_the_key_holds_a_batch_to_its_jobs_also_without_the_trigger(
    db: psycopg.Connection, job: tuple[int, int]
) -> None:
    db.execute("DROP TRIGGER policy_stays ON batches")
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


def claim(db: psycopg.Connection, *ids: int) -> set[int]:
    """The ids that the frontier worker's claim takes."""
    params = {
        "ids": list(ids),
        "queue": "frontier",
        "owner": uuid4(),
        "lease_s": 15.0,
        "prices": "[]",
        "versions": "[]",
        "usd_per_day": None,
        "fixed": "[]",
        "answerer": "openai",
        "engine": "openai",
        "host": "h",
        "stand_in": False,
    }
    return {row[0] for row in db.execute(load_sql("worker", "claim_ready"), params)}


@pytest.mark.parametrize("who_says_so", ["job and batch", "batch", "job"])
def test_the_frontier_claim_passes_over_a_local_only_job_even_without_the_constraints(
    db: psycopg.Connection, job: tuple[int, int], who_says_so: str
) -> None:
    """The worker's own refusal, with the database's taken away."""
    _, other = ready_job(db, "allow-frontier")
    db.execute("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_local_only")
    db.execute("ALTER TABLE jobs DROP CONSTRAINT fk_jobs_batch_id_local_only")
    db.execute("ALTER TABLE calls DROP CONSTRAINT ck_calls_local_only")
    db.execute("DROP TRIGGER policy_stays ON batches")
    db.execute("UPDATE jobs SET queue = 'frontier'")
    if "job" not in who_says_so:
        db.execute("UPDATE jobs SET local_only = false")
    if "batch" not in who_says_so:
        db.execute("UPDATE batches SET local_only = false")
    assert claim(db, job[1], other) == {other}
