"""Reroute: what nobody has begun goes where the configuration now sends it, and nothing else."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from models.errors import InputError
from tests.rows import (
    LOCAL,
    add_batch,
    add_jobs,
    add_pairs,
    add_whole,
    column,
    one,
    rows,
    value,
)
from tests.statements import Worker
from worker import reroute as module
from worker.reroute import reroute
from worker.run.outcome import Part, Split, Turn

Connection = psycopg.Connection[Any]

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture(autouse=True)
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docmill.toml says by now."""
    (tmp_path / "docmill.toml").write_text(
        '[tasks.summary]\nengine = "local"\nmodel = "better"\n[classifier]\nmodel = "sorter"\n'
    )
    monkeypatch.setenv("OLLAMA_HOST", "http://gpu:11434")


def places(db: Connection) -> dict[str, int]:
    """How many jobs wait in which queue."""
    return dict(
        rows(
            db,
            "SELECT queue, count(*) FROM waiting JOIN lines l ON l.id = line_id GROUP BY 1",
        )  # type: ignore[arg-type]
    )


def test_jobs_that_wait_go_where_the_new_configuration_sends_them(
    db: Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 2)
    batch = add_batch(db)
    add_jobs(db, batch, 5)
    add_pairs(db, batch, 3)
    keys = set(column(db, "SELECT classify_key FROM jobs WHERE state = 'pending'"))
    other = add_batch(db)
    add_jobs(db, other, 1)

    assert reroute(batch.id) == 0
    assert places(db) == {"local/better": 5, "classify:local/sorter": 3, LOCAL.queue.name: 1}
    assert "8 jobs" in capsys.readouterr().out
    assert not keys & set(column(db, "SELECT classify_key FROM jobs WHERE state = 'pending'"))
    newest = value(db, "SELECT max(id) FROM configurations")
    assert column(db, "SELECT configuration_id FROM batches ORDER BY id") == [newest, newest - 1]
    reroute(batch.id)
    assert "0 jobs" in capsys.readouterr().out


def test_what_is_begun_stays_where_it_is(db: Connection) -> None:
    batch = add_batch(db)
    tried, leased, fresh = add_jobs(db, batch, 3)
    whole = add_whole(db, batch, 4)
    db.execute("UPDATE jobs SET attempts = 1 WHERE id = %s", (tried,))
    worker = Worker(db)
    calls = worker.claim().calls
    parts = (Part(1, 1, 2, 2), Part(1, 3, 4, 2))
    worker.finish(Turn(whole, batch.id, Split(parts), unused=[calls[whole]]))
    worker.release([tried, fresh], unused=[calls[tried], calls[fresh]])
    reroute(batch.id)
    moved = column(db, "SELECT id FROM jobs WHERE model = 'better'")
    assert moved == [fresh]
    assert value(db, "SELECT count(*) FROM leases WHERE item_id = %s", leased) == 1


def test_what_waits_for_its_moment_goes_too_and_keeps_it(db: Connection) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 1)
    db.execute("UPDATE jobs SET not_before = now() + interval '1 hour'")
    db.execute("DELETE FROM waiting")
    reroute(batch.id)
    line, due = one(db, "SELECT line_id, due_at > now() + interval '50 minutes' FROM delayed")
    assert value(db, "SELECT queue FROM lines WHERE id = %s", line) == "local/better"
    assert due


def test_a_job_is_nowhere_taken_twice_while_a_worker_takes(db: Connection) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 6)
    worker = Worker(db)
    first = worker.take(most=2)
    reroute(batch.id)
    rest = column(db, "SELECT item_id FROM waiting ORDER BY 1")
    assert sorted([*first, *rest]) == sorted(jobs)


def test_a_batch_that_is_over_or_unknown_is_refused(db: Connection) -> None:
    batch = add_batch(db, state="finished")
    for number in (batch.id, 99):
        with pytest.raises(InputError, match="running or paused"):
            reroute(number)
