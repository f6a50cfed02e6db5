"""How fast queues go, from what their calls took of late and who serves them."""

from uuid import uuid4

from producer import query
from tests.rows import (
    CLASSIFY,
    FRONTIER,
    LOCAL,
    LOCAL_TOO,
    Connection,
    add_batch,
    add_jobs,
    add_pairs,
)


def add_calls(
    db: Connection, queue: str, number: int, *, purpose: str = "run", age: str = "1 hour",
    state: str = "settled",
) -> None:  # fmt: skip
    """Calls of 300 and 100 tokens that took two seconds each."""
    engine, _, model = queue.partition("/")
    db.execute(
        "INSERT INTO calls (id, local_only, purpose, zone, engine, kind, host, stand_in, "
        "model_asked, owner, attempt, state, input_tokens, output_tokens, latency_ms) "
        "SELECT docmill_call_id(now() - %s::interval), false, %s, 'local', %s, 'ollama', 'h:1', "
        "false, %s, gen_random_uuid(), 1, %s, 300, 100, 2000 FROM generate_series(1, %s)",
        (age, purpose, engine, model, state, number),
    )


def add_server(db: Connection, slots: int, *models: str, seen: str = "0 s") -> None:
    owner = uuid4()
    db.execute(
        "INSERT INTO workers (owner, pool, host, pid, configuration_id, seen_at) "
        "VALUES (%s, 'all', 'm', 1, 1, now() - %s::interval)",
        (owner, seen),
    )
    db.execute(
        "INSERT INTO servers (owner, engine, zone, kind, address, models, slots) "
        "VALUES (%s, 'local', 'local', 'ollama', 'h:1', %s, %s)",
        (owner, list(models), slots),
    )


def test_a_queue_goes_as_fast_as_its_calls_of_the_last_day(db: Connection) -> None:
    add_calls(db, "local/m", 3)
    add_calls(db, "local/m", 2, purpose="repair")
    add_calls(db, "local/m", 4, purpose="classify")
    add_calls(db, "local/old", 5, age="2 days")
    add_calls(db, "local/m", 5, state="lost")
    db.execute("UPDATE calls SET latency_ms = 500 WHERE purpose = 'classify'")
    found = {row["queue"]: row for row in query.paces()}
    assert set(found) == {"local/m", CLASSIFY.name}
    assert found["local/m"] == {
        "queue": "local/m",
        "engine": "local",
        "slots": 0,
        "waiting": 0,
        "tokens_per_second": 200.0,
        "calls": 1.0,
        "input_tokens": 300.0,
        "output_tokens": 100.0,
    }
    assert found[CLASSIFY.name]["tokens_per_second"] == 800.0


def test_calls_that_mend_an_answer_count_for_its_job(db: Connection) -> None:
    jobs = add_jobs(db, add_batch(db), 2)
    add_calls(db, LOCAL.queue.name, 3)
    db.execute("UPDATE calls SET job_id = %s", (jobs[0],))
    add_calls(db, LOCAL.queue.name, 3)
    db.execute("UPDATE calls SET job_id = %s WHERE job_id IS NULL", (jobs[1],))
    add_calls(db, LOCAL.queue.name, 2)
    [found] = query.paces()
    assert [found[key] for key in ("calls", "input_tokens", "output_tokens")] == [2, 600, 200]


def test_its_slots_are_those_of_workers_that_live(db: Connection) -> None:
    add_batch(db)
    add_calls(db, "local/m", 1)
    add_calls(db, "local/n", 1)
    add_server(db, 4, "m", "n")
    add_server(db, 2, "m")
    add_server(db, 8, "m", "n", seen="2 minutes")
    assert {row["queue"]: row["slots"] for row in query.paces()} == {"local/m": 6, "local/n": 4}


def test_what_waits_in_it_is_open_work_of_all_batches(db: Connection) -> None:
    for place in (LOCAL, LOCAL_TOO):
        add_calls(db, place.queue.name, 1)
    add_calls(db, LOCAL.queue.name, 1, purpose="classify")
    first, second, paused = add_batch(db), add_batch(db), add_batch(db)
    add_jobs(db, first, 3)
    add_jobs(db, first, 9, FRONTIER)
    add_jobs(db, second, 4)
    add_pairs(db, second, 2)
    add_jobs(db, paused, 50)
    db.execute("UPDATE batches SET state = 'paused' WHERE id = %s", (paused.id,))
    assert {row["queue"]: row["waiting"] for row in query.paces()} == {
        LOCAL.queue.name: 7,
        LOCAL_TOO.queue.name: 0,
        CLASSIFY.name: 2,
    }
