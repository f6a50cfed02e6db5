"""Redis stays small however much waits: Postgres holds the pile, Redis the next few."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import redis

from models.words import Queue
from worker.flow.fairness import LEAST_DEPTH
from worker.flow.feeder import Feeder

FEW, MANY = 1_000, 200_000
SAME_BYTES = 64 * 1024
"""What Redis itself needs more or less of from one moment to the next."""

SETTLED_S = 3.0
"""Longer than a hint has to be unclaimed in an empty queue to be sent again."""

ADD = """
WITH d AS (
    INSERT INTO documents (batch_id, path, media_type, bytes, sha256, state, jobs_total)
    SELECT %(batch)s, 'p', 'text/plain', 1, '', %(document)s, 1 FROM generate_series(1, %(n)s)
    RETURNING id
)
INSERT INTO jobs (batch_id, local_only, document_id, ask_id, state, task, queue, model, tokens)
SELECT %(batch)s, false, id, %(ask)s, %(state)s, 'summary',
       CASE WHEN id %% 2 = 0 THEN 'local' ELSE 'frontier' END, 'm', 1
FROM d
"""


async def test_redis_needs_the_same_memory_for_a_thousand_and_for_200_000_jobs(
    db: "psycopg.Connection[tuple[Any, ...]]",
    database_url: str,
    redis_url: str,
    report: Callable[[str], None],
) -> None:
    batch, ask = _batch(db)
    feeder = Feeder(database_url)
    with redis.Redis.from_url(redis_url) as client:
        _add(db, batch, ask, FEW)
        feeder.start()
        few = await _settled(client)
        _add(db, batch, ask, MANY - FEW)
        many = await _settled(client)
        await feeder.stop()
    report(f"Redis with {FEW} jobs waiting: {few[0]} bytes, {few[1]} messages")
    report(f"Redis with {MANY} jobs waiting: {many[0]} bytes, {many[1]} messages")
    assert few[1] > 0
    assert many[1] <= LEAST_DEPTH * len(Queue)
    assert abs(many[0] - few[0]) <= SAME_BYTES


def _batch(db: "psycopg.Connection[tuple[Any, ...]]") -> tuple[int, int]:
    sql = (
        "WITH b AS (INSERT INTO batches (local_only) VALUES (false) RETURNING id) "
        "INSERT INTO asks (batch_id, ordinal, label, text, scope, documents) "
        "SELECT id, 1, 'a', 'a', 'document', '{}' FROM b RETURNING batch_id, id"
    )
    row = db.execute(sql).fetchone()
    assert row is not None
    return row[0], row[1]


def _add(db: "psycopg.Connection[tuple[Any, ...]]", batch: int, ask: int, jobs: int) -> None:
    """Half of them wait to be run, a quarter to be classified, a quarter to be read."""
    for state, document, share in (
        ("ready", "ready", 2),
        ("pending", "ready", 4),
        ("skipped", "pending", 4),
    ):
        params = {"batch": batch, "ask": ask, "state": state, "document": document}
        db.execute(ADD, {**params, "n": jobs // share})
    db.execute("ANALYZE")


async def _settled(client: redis.Redis) -> tuple[int, int]:
    """Memory in use and messages waiting, once the feeder has done what it wants."""
    await asyncio.sleep(SETTLED_S)
    used = int(client.info("memory")["used_memory"])
    return used, sum(int(client.llen(queue)) for queue in Queue)
