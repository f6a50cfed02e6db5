"""The feeder against a real Postgres and a real Redis: what it hints, and when."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
import redis

from models.queue import EPOCH
from tests.waiting import until
from worker.flow import feeder as feeder_module
from worker.flow.fairness import LEAST_DEPTH
from worker.flow.feeder import LOCK, OUTAGE_S, SILENCE_S, Feeder

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def client(redis_url: str):
    with redis.Redis.from_url(redis_url) as made:
        yield made


@asynccontextmanager
async def feeding(url: str) -> AsyncIterator[Feeder]:
    feeder = Feeder(url)
    feeder.start()
    try:
        yield feeder
    finally:
        await feeder.stop()


async def stays(condition: Callable[[], Any], seconds: float) -> None:
    """The condition holds all the time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        assert condition()
        await asyncio.sleep(0.02)


def hints(client: redis.Redis, queue: str = "local") -> list[int]:
    """The ids in a queue's messages, the next one first."""
    messages = [json.loads(raw) for raw in reversed(client.lrange(queue, 0, -1))]
    bodies = [json.loads(base64.b64decode(message["body"])) for message in messages]
    return [hint for body in bodies for hint in body[0][0]]


def add_batch(db: Connection, jobs: int, *, priority: int = 0, model: str = "m") -> list[int]:
    (batch,) = _one(
        db, "INSERT INTO batches (local_only, priority) VALUES (true, %s) RETURNING id", priority
    )
    (ask,) = _one(
        db,
        "INSERT INTO asks (batch_id, ordinal, label, text, scope, documents) "
        "VALUES (%s, 1, 'a', 'a', 'document', '{}') RETURNING id",
        batch,
    )
    rows = db.execute(
        "WITH d AS (INSERT INTO documents (batch_id, path, media_type, bytes, sha256, state, "
        "jobs_total) SELECT %(b)s, 'p', 'text/plain', 1, '', 'ready', 1 FROM "
        "generate_series(1, %(n)s) RETURNING id) "
        "INSERT INTO jobs (batch_id, local_only, document_id, ask_id, state, task, queue, model, "
        "tokens) SELECT %(b)s, true, id, %(a)s, 'ready', 'summary', 'local', %(m)s, 1 FROM d "
        "RETURNING id",
        {"b": batch, "n": jobs, "a": ask, "m": model},
    )
    return [row[0] for row in rows]


def _one(db: Connection, sql: str, *params: Any) -> tuple[Any, ...]:
    row = db.execute(sql, params).fetchone()
    assert row is not None
    return row


def take(db: Connection, ids: list[int]) -> None:
    db.execute("UPDATE jobs SET state = 'done', finished_at = now() WHERE id = ANY(%s)", (ids,))


def run_away(db: Connection, ids: list[int]) -> None:
    """Leased by a worker that is gone."""
    db.execute(
        "UPDATE jobs SET state = 'running', owner = gen_random_uuid(), "
        "lease_until = now() - interval '1 second' WHERE id = ANY(%s)",
        (ids,),
    )


async def test_only_a_little_is_hinted_however_much_waits(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    ids = add_batch(db, 2000)
    async with feeding(database_url):
        await until(lambda: hints(client), "the first hints")
        await stays(lambda: len(hints(client)) <= LEAST_DEPTH, 1.0)
    assert hints(client) == ids[:LEAST_DEPTH]


async def test_the_ledger_gets_its_next_partitions_also_where_it_is_in_use_at_first(
    db: Connection, database_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeder_module, "MONTHS_AGAIN_S", 0.0)
    partitions = (
        "SELECT array_agg(inhrelid::regclass::text ORDER BY inhrelid::regclass::text) "
        "FROM pg_inherits "
        "WHERE inhparent = 'calls'::regclass"
    )
    (before,) = _one(db, partitions)
    db.execute(f"DROP TABLE {before[-2]}")  # the last is that of the other calls
    ids = add_batch(db, 10)
    with psycopg.connect(database_url) as user:
        user.execute("SELECT count(*) FROM calls")
        async with feeding(database_url):
            await until(lambda: hints(client) == ids, "hints, while the ledger is being read")
            assert _one(db, partitions) != (before,)
            user.rollback()
            await until(lambda: _one(db, partitions) == (before,), "the partition is there again")


async def test_what_was_taken_is_followed_by_the_next_and_nothing_is_said_twice(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    ids = add_batch(db, 200)
    said: list[int] = []

    def work() -> bool:
        found = hints(client)
        client.delete("local")
        take(db, found)
        said.extend(found)
        return len(said) >= len(ids)

    async with feeding(database_url):
        await until(work, "every job was hinted")
        await stays(lambda: not hints(client), 0.5)
    assert sorted(said) == ids


async def test_hints_at_workers_that_do_not_claim_yet_are_not_said_again_at_once(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    """A busy worker holds messages; the queue gets the ones after them, for other workers."""
    ids = add_batch(db, 200)
    async with feeding(database_url):
        await until(lambda: hints(client) == ids[:LEAST_DEPTH], "the first hints")
        client.delete("local")  # a worker has them
        following = ids[LEAST_DEPTH : 2 * LEAST_DEPTH]
        await until(lambda: hints(client) == following, "the next hints", timeout=1.5)


async def test_after_a_flush_everything_is_said_again_within_a_second(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    ids = add_batch(db, 12)
    async with feeding(database_url):
        await until(lambda: len(hints(client)) == 12, "the first hints")
        client.flushall()
        await until(lambda: hints(client) == ids, "said again", timeout=1.5)


async def test_hints_that_vanished_are_said_again_within_seconds(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    """A killed worker takes along what it had popped; Redis itself is well."""
    ids = add_batch(db, 12)
    async with feeding(database_url):
        await until(lambda: len(hints(client)) == 12, "the first hints")
        client.delete("local")
        await until(lambda: hints(client) == ids, "said again", timeout=4)
    assert client.get(EPOCH)


async def test_the_more_urgent_batch_goes_first(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    add_batch(db, 100)
    urgent = add_batch(db, 10, priority=5)
    async with feeding(database_url):
        await until(lambda: len(hints(client)) == LEAST_DEPTH, "hints")
    assert hints(client)[:10] == urgent


async def test_a_small_batch_does_not_wait_behind_a_large_one(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    add_batch(db, 1000)
    small = add_batch(db, 6)
    async with feeding(database_url):
        await until(lambda: hints(client), "hints")
        await until(lambda: set(small) <= set(hints(client)), "the small batch is in", timeout=1)


async def test_a_paused_batch_is_not_hinted_and_is_once_it_goes_on(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    ids = add_batch(db, 5)
    db.execute("UPDATE batches SET state = 'paused'")
    async with feeding(database_url):
        await stays(lambda: not hints(client), 0.7)
        db.execute("UPDATE batches SET state = 'running'")
        await until(lambda: hints(client) == ids, "hinted", timeout=2)


async def test_a_job_that_waits_for_its_time_is_hinted_when_it_has_come(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    ids = add_batch(db, 2)
    later = "UPDATE jobs SET not_before = now() + interval '0.8 second' WHERE id = %s"
    db.execute(later, (ids[0],))
    async with feeding(database_url):
        await until(lambda: hints(client) == [ids[1]], "the other one")
        await until(lambda: hints(client) == [ids[1], ids[0]], "its time has come", timeout=3)


async def test_one_of_two_feeders_feeds_and_the_other_takes_over_when_it_goes(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    add_batch(db, 10)
    async with feeding(database_url) as first, feeding(database_url):
        await until(lambda: len(hints(client)) == 10, "hinted")
        await stays(lambda: len(hints(client)) == 10, 0.7)
        await first.stop()
        client.flushall()
        await until(lambda: len(hints(client)) == 10, "the other one feeds", timeout=4)


async def test_a_feeder_that_fell_silent_is_deposed(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    add_batch(db, 3)
    with psycopg.connect(database_url, autocommit=True) as frozen:
        frozen.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        frozen.execute(
            "INSERT INTO feeder (one, backend_pid, beat_at) VALUES (true, pg_backend_pid(), "
            "now() - %s * interval '1 second')",
            (SILENCE_S + 1,),
        )
        async with feeding(database_url):
            await until(lambda: len(hints(client)) == 3, "a new feeder", timeout=5)
        with pytest.raises(psycopg.OperationalError):
            frozen.execute("SELECT 1")


async def test_leases_of_the_dead_are_reaped_soon_also_by_the_next_feeder(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    run_away(db, add_batch(db, 3))
    async with feeding(database_url):
        await until(lambda: len(hints(client)) == 3, "back in line", timeout=3)
        client.flushall()
    run_away(db, add_batch(db, 2))
    async with feeding(database_url):
        await until(lambda: len(hints(client)) == 5, "those of the second, too", timeout=3)


async def test_after_an_outage_the_living_renew_before_anything_is_reaped(
    db: Connection, database_url: str, client: redis.Redis
) -> None:
    db.execute(
        "INSERT INTO feeder (one, backend_pid, beat_at) VALUES (true, 0, "
        "now() - %s * interval '1 second')",
        (OUTAGE_S + 1,),
    )
    run_away(db, add_batch(db, 3))
    running = "SELECT count(*) FROM jobs WHERE state = 'running'"
    async with feeding(database_url):
        await until(lambda: client.get(EPOCH), "it feeds")
        await stays(lambda: _one(db, running) == (3,), 1.5)


async def test_messages_that_redis_refused_are_sent_once_it_is_back(
    db: Connection, database_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add_batch(db, 8)
    away = [True, True, True]

    def refuse_first(queue: Any, hinted: Any, send: Any = None) -> None:
        if away:
            away.pop()
            raise redis.ConnectionError("away")
        original(queue, hinted)

    original = feeder_module.send_hint
    monkeypatch.setattr(feeder_module, "send_hint", refuse_first)
    async with feeding(database_url):
        await until(lambda: sorted(set(hints(client))) == ids, "sent", timeout=1.8)
