"""Supply against a real Postgres and a real Redis: what rings, and when."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
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
from tests.statements import Worker, bring_due, run
from worker.flow import supply as supply_module
from worker.flow.supply import BUSY_S, IDLE_S, MESSAGES, Supply
from worker.outage import Outage

ALL = (LOCAL.queue, FRONTIER.queue, CLASSIFY, INGEST)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


@pytest.fixture
def supply(db: Connection, client: redis.Redis) -> Supply:
    async def go(name: str, **params: Any) -> list[dict[str, Any]]:
        return run(db, name, **params)

    return Supply(go, Outage("redis"))


def messages(client: redis.Redis, queue: str = LOCAL.queue.name) -> list[str]:
    """What the messages of a queue say."""
    bodies = [json.loads(base64.b64decode(json.loads(raw)["body"])) for raw in _raw(client, queue)]
    return [body[0][0] for body in bodies]


def _raw(client: redis.Redis, queue: str) -> list[bytes]:
    return list(client.lrange(queue, 0, -1))


async def test_every_queue_with_work_gets_a_few_messages_however_much_waits(
    db: Connection, client: redis.Redis, supply: Supply
) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 2000)
    add_jobs(db, batch, 1, FRONTIER)
    add_pairs(db, batch, 1)
    add_unread(db, batch, 1)
    for _ in range(3):
        await supply.top_up()
    for queue in ALL:
        assert messages(client, queue.name) == [queue.name] * MESSAGES


async def test_a_queue_without_work_gets_none(client: redis.Redis, supply: Supply) -> None:
    await supply.top_up()
    assert not any(messages(client, queue.name) for queue in ALL)


async def test_what_workers_took_is_made_up_for_as_long_as_there_is_work(
    db: Connection, client: redis.Redis, supply: Supply
) -> None:
    add_jobs(db, add_batch(db), 10)
    await supply.top_up()
    assert supply.pause_s == BUSY_S
    await supply.top_up()
    assert supply.pause_s == IDLE_S
    client.rpop(LOCAL.queue.name, 3)
    await supply.top_up()
    assert len(messages(client)) == MESSAGES
    Worker(db).take()
    client.delete(LOCAL.queue.name)
    await supply.top_up()
    assert messages(client) == []


async def test_a_redis_that_lost_everything_is_filled_again_at_the_next_look(
    db: Connection, client: redis.Redis, supply: Supply
) -> None:
    add_jobs(db, add_batch(db), 10)
    await supply.top_up()
    client.flushall()
    await supply.top_up()
    assert len(messages(client)) == MESSAGES


@pytest.mark.parametrize(
    ("stop", "go_on"),
    [
        ("UPDATE batches SET state = 'paused'", "UPDATE batches SET state = 'running'"),
        ("INSERT INTO holds (zone, code) VALUES ('local', 'engine')", "DELETE FROM holds"),
        (
            "WITH gone AS (DELETE FROM waiting RETURNING line_id, item_id) INSERT INTO delayed "
            "SELECT line_id, item_id, now() + interval '1 hour' FROM gone",
            "UPDATE delayed SET due_at = now()",
        ),
    ],
)
async def test_nobody_is_woken_for_what_stands_still(
    db: Connection, client: redis.Redis, supply: Supply, stop: str, go_on: str
) -> None:
    add_jobs(db, add_batch(db), 10)
    db.execute(stop)
    await supply.top_up()
    assert messages(client) == []
    db.execute(go_on)
    bring_due(db)
    await supply.top_up()
    assert len(messages(client)) == MESSAGES


async def test_what_redis_refused_is_sent_once_it_is_back(
    db: Connection, client: redis.Redis, supply: Supply, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_jobs(db, add_batch(db), 10)

    def refuse(queue: str) -> None:
        raise redis.ConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(supply_module, "ring", refuse)
        await supply.top_up()
    assert messages(client) == []
    await supply.top_up()
    assert len(messages(client)) == MESSAGES
