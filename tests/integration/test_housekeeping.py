"""What the leader does beside feeding, duty by duty, on a real Postgres."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from models.words import INGEST
from tests.recount import offences
from tests.rows import (
    FRONTIER,
    LOCAL,
    LOCAL_TOO,
    Batch,
    Connection,
    add_batch,
    add_configuration,
    add_jobs,
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
from tests.statements import Worker, as_json, run, run_producer
from worker.flow import housekeeping
from worker.flow.housekeeping import House
from worker.settings import SILENCE_S


def a_house(db: Connection, *, was_away: bool = False) -> House:
    async def go(name: str, **params: Any) -> list[dict[str, Any]]:
        return run(db, name, **params)

    return House(go, was_away=was_away)


@pytest.fixture
def house(db: Connection, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house in which everything but the months is always due."""
    for name in ("TURN_S", "ROUND_S", "WHOLE_S"):
        monkeypatch.setattr(housekeeping, name, 0.0)
    return a_house(db)


def end(db: Connection, batch: Batch, state: str = "done") -> None:
    """Every job of a batch comes to its end."""
    db.execute(
        "DELETE FROM waiting WHERE item_id IN (SELECT id FROM jobs WHERE batch_id = %s)",
        (batch.id,),
    )
    db.execute("UPDATE jobs SET state = %s WHERE batch_id = %s", (state, batch.id))


def state_of(db: Connection, batch: Batch) -> str:
    return value(db, "SELECT state FROM batches WHERE id = %s", batch.id)


# --- leases ---------------------------------------------------------------------------------------


async def test_leases_of_the_dead_are_reaped_at_the_next_turn_and_so_are_those_after_them(
    db: Connection, house: House
) -> None:
    jobs = add_jobs(db, add_batch(db), 5)
    for ids in (jobs[:3], jobs[3:]):
        Worker(db).take(most=len(ids))
        let_lapse(db)
        await house.keep()
        assert states(db) == {"ready": 5}


async def test_after_an_outage_the_living_renew_before_anything_is_reaped(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "TURN_S", 0.0)
    house = a_house(db, was_away=True)
    add_jobs(db, add_batch(db), 3)
    Worker(db).take()
    let_lapse(db)
    await house.keep()
    assert states(db) == {"running": 3}
    later = housekeeping.time.monotonic() + housekeeping.LEASE_S
    monkeypatch.setattr(housekeeping.time, "monotonic", lambda: later)
    await house.keep()
    assert states(db) == {"ready": 3}


async def test_calls_that_no_lease_stands_for_are_lost_after_a_lease(
    db: Connection, house: House
) -> None:
    jobs = add_jobs(db, add_batch(db), 2, FRONTIER)
    worker = Worker(db)
    worker.claim(FRONTIER)
    worker.release(jobs[:1])  # and forgot the call
    await house.keep()
    assert states(db, "calls") == {"reserved": 2}
    db.execute("UPDATE calls SET started_at = now() - interval '16 s'")
    await house.keep()
    assert rows(db, "SELECT job_id, state FROM calls ORDER BY 1") == [
        (jobs[0], "lost"),
        (jobs[1], "reserved"),
    ]
    assert value(db, "SELECT cost_usd = reserved_usd FROM calls WHERE state = 'lost'")


# --- moments and holds ----------------------------------------------------------------------------


async def test_what_waited_for_its_moment_is_in_line_when_it_has_come(
    db: Connection, house: House
) -> None:
    jobs, worker = add_jobs(db, add_batch(db), 3), Worker(db)
    worker.take()
    worker.release(jobs, delay_s=3600)
    await house.keep()
    assert worker.take() == []
    make_due(db)
    await house.keep()
    assert sorted(worker.take()) == jobs


async def test_a_hold_ends_at_its_moment_and_one_without_stays(
    db: Connection, house: House
) -> None:
    jobs = add_jobs(db, add_batch(db), 3, FRONTIER)
    hold = "INSERT INTO holds (zone, code, until) VALUES ('frontier', %s, %s)"
    db.execute(hold, ("budget", None))
    db.execute(hold, ("day_budget", "tomorrow"))
    db.execute("UPDATE holds SET until = now() WHERE code = 'day_budget'")
    await house.keep()
    assert column(db, "SELECT code FROM holds") == ["budget"]
    assert Worker(db).take(FRONTIER.queue) == []
    db.execute("UPDATE holds SET until = now()")
    await house.keep()
    assert Worker(db).take(FRONTIER.queue) == jobs


# --- batches --------------------------------------------------------------------------------------


async def test_a_batch_is_finished_when_its_last_job_has_ended(
    db: Connection, house: House
) -> None:
    batch = add_batch(db)
    job, failing = add_jobs(db, batch, 2)
    db.execute("UPDATE jobs SET state = 'done' WHERE id = %s", (job,))
    await house.keep()
    assert state_of(db, batch) == "running"
    db.execute("DELETE FROM waiting")
    db.execute("UPDATE jobs SET state = 'failed' WHERE id = %s", (failing,))
    await house.keep()
    assert state_of(db, batch) == "finished"
    assert value(db, "SELECT finished_at IS NOT NULL FROM batches")
    assert value(db, "SELECT count(*) FROM lines") == 0


@pytest.mark.parametrize("what", ["unread", "being read", "submitting", "paused", "held"])
async def test_a_batch_with_something_to_come_stays_open(
    db: Connection, house: House, what: str
) -> None:
    batch = add_batch(db, submitted=what != "submitting")
    add_jobs(db, batch)
    if what in ("unread", "being read"):
        add_unread(db, batch)
    if what == "being read":
        Worker(db).take(INGEST)
    if what == "held":
        db.execute("INSERT INTO holds (batch_id, code) VALUES (%s, 'budget')", (batch.id,))
    else:
        end(db, batch)
    if what == "paused":
        db.execute("UPDATE batches SET state = 'paused'")
    for _ in range(3):
        await house.keep()
    assert value(db, "SELECT finished_at FROM batches") is None


async def test_a_batch_of_which_no_document_could_be_read_is_finished(
    db: Connection, house: House
) -> None:
    batch = add_batch(db)
    add_unread(db, batch, 2)
    db.execute("DELETE FROM waiting")
    db.execute("UPDATE documents SET state = 'failed'")
    await house.keep()
    assert state_of(db, batch) == "finished"


async def test_a_cancelled_batch_leaves_nothing_in_line_and_ends_after_what_runs(
    db: Connection, house: House
) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 4)
    delayed = add_jobs(db, batch, 2, LOCAL_TOO)
    worker = Worker(db)
    worker.take(LOCAL_TOO.queue)
    worker.release(delayed, delay_s=3600)
    running = worker.take(most=1)
    db.execute("UPDATE batches SET state = 'cancelled'")
    await house.keep()
    await house.keep()
    assert value(db, "SELECT count(*) FROM waiting") == 0
    assert value(db, "SELECT count(*) FROM delayed") == 0
    assert value(db, "SELECT finished_at FROM batches") is None
    worker.release(running)
    for _ in range(3):
        await house.keep()
    assert value(db, "SELECT finished_at IS NOT NULL FROM batches")
    assert states(db) == {"cancelled": 6}


async def test_every_batch_has_its_turn_also_where_nothing_was_counted_lately(
    db: Connection, house: House
) -> None:
    batches = [add_batch(db) for _ in range(10)]
    db.execute("DELETE FROM counts")
    for _ in range(4):
        await house.keep()
    assert [state_of(db, batch) for batch in batches] == ["finished"] * 10


async def test_a_finished_batch_is_kept_for_as_long_as_its_configuration_says(
    db: Connection, house: House
) -> None:
    add_configuration(db, retention={"days": 30})
    kept = add_batch(db)
    add_configuration(db)
    for_ever = add_batch(db)
    await house.keep()
    until = "SELECT purge_at - finished_at FROM batches WHERE id = %s"
    assert value(db, until, kept.id) == timedelta(days=30)
    assert value(db, until, for_ever.id) is None


# --- sums -----------------------------------------------------------------------------------------


def sums(db: Connection) -> tuple[Any, ...]:
    counted = "SELECT batch_id, what, state, queue, sum(n) FROM counts GROUP BY 1, 2, 3, 4 "
    spent = (
        "SELECT batch_id, day, zone, sum(usd), sum(known_usd), sum(under_way), sum(calls), "
        "sum(unknown), sum(lost) FROM spend GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return rows(db, counted + "HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4"), rows(db, spent)


async def test_changes_of_sums_are_folded_and_the_sums_stay(db: Connection, house: House) -> None:
    worker = Worker(db)
    for _ in range(3):
        batch = add_batch(db)
        for _ in range(4):
            add_jobs(db, batch, 2, FRONTIER)
        worker.claim(FRONTIER, most=4)
    db.execute("UPDATE counts SET at = now() - interval '21 seconds'")
    before = sums(db)
    await house.keep()
    assert sums(db) == before
    assert column(db, "SELECT DISTINCT folded FROM counts") == [True]
    assert column(db, "SELECT DISTINCT folded FROM spend") == [True]
    worker.claim(FRONTIER, most=20)
    db.execute("UPDATE counts SET at = now() - interval '21 seconds'")
    before = sums(db)
    await house.keep()
    assert sums(db) == before


async def test_what_was_counted_lately_stays_apart_so_that_it_says_how_fast_a_batch_goes(
    db: Connection, house: House
) -> None:
    add_jobs(db, add_batch(db), 2)
    await house.keep()
    assert column(db, "SELECT DISTINCT folded FROM counts") == [False]


async def test_what_commits_late_is_folded_later(
    db: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "TURN_S", 0.0)
    house = a_house(db)
    batch = add_batch(db)
    add_jobs(db, batch, 2, FRONTIER)
    with connect(database_url) as slow:
        add_jobs(slow, batch, 2, FRONTIER)
        add_jobs(db, batch, 2, FRONTIER)
        db.execute("UPDATE counts SET at = now() - interval '21 seconds'")
        await house.keep()
        slow.execute("UPDATE counts SET at = now() - interval '21 seconds' WHERE NOT folded")
        slow.commit()
    monkeypatch.setattr(housekeeping, "WHOLE_S", 0.0)
    house = a_house(db)
    await house.keep()
    assert column(db, "SELECT DISTINCT folded FROM counts") == [True]


# --- heads ----------------------------------------------------------------------------------------


async def test_the_head_of_every_line_moves_also_behind_many_that_stand_still(
    db: Connection, house: House
) -> None:
    db.execute(
        "WITH made AS (INSERT INTO lines (batch_id, queue, stage, priority, open) "
        "SELECT %s, 'q' || n, 'run', 0, true FROM generate_series(1, 450) n RETURNING id) "
        "INSERT INTO waiting (line_id, item_id) SELECT id, 1 FROM made",
        (add_batch(db).id,),
    )
    last = add_batch(db)
    for _ in range(6):
        await house.keep()
    add_jobs(db, last, 1, LOCAL_TOO)
    Worker(db).take(LOCAL_TOO.queue)
    add_jobs(db, last, 1, LOCAL_TOO)
    for _ in range(6):
        await house.keep()
    head, first = one(
        db,
        "SELECT head, (SELECT min(xact) FROM waiting WHERE line_id = l.id) FROM lines l "
        "WHERE batch_id = %s",
        last.id,
    )
    assert head == first


# --- workers and engines --------------------------------------------------------------------------


def say(
    db: Connection,
    worker: Worker,
    *gates: dict[str, Any],
    engine: str = "local",
    models: Sequence[str] = ("m",),
) -> None:
    """A worker's sign of life: it reaches an engine, whose gates are shut for these reasons."""
    server = {"engine": engine, "zone": "local", "kind": "ollama", "address": "h:1", "slots": 4}
    shut = {"engine": engine, "model": "", "code": "no_model", "message": "pull it"}
    shut |= {"lasting": True, "since": "2026-01-01T00:00:00Z", "until": None}
    run(
        db,
        "flow/presence",
        owner=worker.owner,
        pool="local",
        machine="m",
        pid=1,
        configuration=1,
        servers=Jsonb([server | {"models": list(models), "in_use": 0}]),
        gates=Jsonb([shut | gate for gate in gates]),
    )


async def test_a_worker_that_says_nothing_any_more_is_forgotten_with_what_it_said(
    db: Connection, house: House
) -> None:
    silent, living = Worker(db), Worker(db)
    say(db, silent, {"model": "m"})
    say(db, living)
    db.execute(
        "UPDATE workers SET seen_at = now() - %s * interval '1 second' WHERE owner = %s",
        (SILENCE_S + 1, silent.owner),
    )
    await house.keep()
    assert column(db, "SELECT owner FROM workers") == [living.owner]
    assert column(db, "SELECT owner FROM servers") == [living.owner]
    assert column(db, "SELECT owner FROM gates") == []


async def test_a_model_is_held_once_no_worker_can_ask_it_and_until_one_can(
    db: Connection, house: House
) -> None:
    jobs, others = add_jobs(db, add_batch(db), 2), add_jobs(db, add_batch(db), 2, LOCAL_TOO)
    first, second = Worker(db), Worker(db)
    say(db, first, {"model": "m"})
    say(db, second)
    await house.keep()
    assert column(db, "SELECT code FROM holds") == []
    say(db, second, {"model": "m"})
    await house.keep()
    assert rows(db, "SELECT engine, model, about->>'trouble' FROM holds") == [
        ("local", "m", "no_model")
    ]
    assert states(db) == {"held": 2, "ready": 2}
    assert Worker(db).take() == []
    assert Worker(db).take(LOCAL_TOO.queue) == others
    say(db, second)
    await house.keep()
    assert Worker(db).take() == jobs


async def test_a_worker_that_keeps_to_another_model_keeps_none_from_being_held(
    db: Connection, house: House
) -> None:
    add_jobs(db, add_batch(db), 2)
    able, other = Worker(db), Worker(db)
    say(db, able, {"model": "m"})
    say(db, other, models=["n"])
    await house.keep()
    assert column(db, "SELECT model FROM holds") == ["m"]
    say(db, other, models=["m", "n"])
    await house.keep()
    assert column(db, "SELECT model FROM holds") == []


async def test_an_engine_that_shut_for_all_its_models_is_held_as_a_whole(
    db: Connection, house: House
) -> None:
    add_jobs(db, add_batch(db), 2)
    worker = Worker(db)
    say(db, worker, {"code": "auth"}, {"model": "m"})
    await house.keep()
    assert None in column(db, "SELECT model FROM holds")
    assert Worker(db).take() == []
    run(db, "flow/leave", owner=worker.owner)
    await house.keep()
    assert column(db, "SELECT code FROM holds") == []


async def test_trouble_that_passes_holds_nothing(db: Connection, house: House) -> None:
    jobs = add_jobs(db, add_batch(db), 2)
    say(db, Worker(db), {"model": "m", "lasting": False})
    await house.keep()
    assert Worker(db).take(LOCAL.queue) == jobs


def test_the_model_that_reads_scans_is_tried_at_once_where_documents_wait_for_it(
    db: Connection,
) -> None:
    batch, other = add_batch(db), add_batch(db)
    [document] = add_unread(db, batch)
    worker = Worker(db)
    assert worker.take(INGEST) == [document]
    error = {"category": "engine_away", "phase": "ingest", "retryable": True, "message": "pull it"}
    failure = {"id": document, "state": "pending", "kills": 0, "delay_s": 30, "error": error}
    run(db, "ingest/fail", rows=as_json([failure]), owner=worker.owner)
    say(db, worker, {"model": "see", "lasting": False})
    assert run_producer(db, "resume", batch=batch.id, max_cost=None) == []

    add_configuration(db, reading={"ocr": "local/see"})
    add_jobs(db, other, 1)
    assert run_producer(db, "resume", batch=other.id, max_cost=None) == []
    assert len(run_producer(db, "resume", batch=batch.id, max_cost=None)) == 1
    assert column(db, "SELECT lifted FROM gates") == [True]
    soon = "SELECT due_at BETWEEN now() AND now() + interval '4 seconds' FROM delayed"
    assert column(db, soon) == [True]
    assert offences(db) == []


# --- the ledger's partitions ----------------------------------------------------------------------

PARTITIONS = (
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'calls'::regclass "
    "AND inhrelid <> 'calls_other'::regclass ORDER BY 1"
)


async def test_the_ledger_gets_its_next_partitions_also_where_it_is_in_use_at_first(
    db: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "MONTHS_AGAIN_S", 0.0)
    house = a_house(db)
    before = column(db, PARTITIONS)
    db.execute(f"DROP TABLE {before[-1]}")
    with connect(database_url) as user:
        user.execute("SELECT count(*) FROM calls")
        await house.keep()
        assert column(db, PARTITIONS) == before[:-1]
    await house.keep()
    assert column(db, PARTITIONS) == before


async def test_a_role_that_may_make_no_tables_keeps_house_all_the_same(
    db: Connection, database_url: str
) -> None:
    role = f"keeper_{uuid4().hex[:12]}"
    db.execute(f"CREATE ROLE {role} LOGIN")
    try:
        db.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        add_jobs(db, add_batch(db), 2)
        Worker(db).take()
        let_lapse(db)
        with psycopg.connect(database_url, user=role, autocommit=True) as connection:
            house = a_house(connection)
            await house.keep()
        assert states(db) == {"ready": 2}
    finally:
        db.execute(f"DROP OWNED BY {role}")
        db.execute(f"DROP ROLE {role}")
