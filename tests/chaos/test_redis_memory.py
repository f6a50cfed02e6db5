"""Redis stays small however much waits: Postgres holds the pile, Redis a few messages a queue."""

from collections.abc import Callable
from typing import Any

import redis

from models.words import INGEST
from tests.rows import (
    CLASSIFY,
    FRONTIER,
    LOCAL,
    Connection,
    add_batch,
    add_jobs,
    add_pairs,
    add_unread,
)
from tests.statements import run
from worker.flow.supply import MESSAGES, Supply
from worker.outage import Outage

FEW, MANY = 1_000, 200_000
SAME_BYTES = 64 * 1024
"""What Redis itself needs more or less of from one moment to the next."""

LOOKS = 20
ALL = (LOCAL.queue.name, FRONTIER.queue.name, CLASSIFY.name, INGEST.name)


async def test_redis_needs_the_same_memory_for_a_thousand_and_for_200_000_jobs(
    db: Connection, redis_url: str, report: Callable[[str], None]
) -> None:
    async def go(name: str, **params: Any) -> list[dict[str, Any]]:
        return run(db, name, **params)

    supply = Supply(go, Outage("redis"))
    used = {}
    with redis.Redis.from_url(redis_url) as client:
        for number in (FEW, MANY):
            _add(db, number)
            for _ in range(LOOKS):
                await supply.top_up()
            messages = sum(client.llen(queue) for queue in ALL)
            used[number] = int(client.info("memory")["used_memory"])
            report(f"Redis with {number} jobs waiting: {used[number]} bytes, {messages} messages")
            assert messages == MESSAGES * len(ALL)
    assert abs(used[MANY] - used[FEW]) <= SAME_BYTES


def _add(db: Connection, number: int) -> None:
    """A quarter of them waits in each queue."""
    batch, share = add_batch(db), number // len(ALL)
    add_jobs(db, batch, share)
    add_jobs(db, batch, share, FRONTIER)
    add_pairs(db, batch, share)
    add_unread(db, batch, share)
    db.execute("ANALYZE")
