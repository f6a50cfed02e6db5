"""The feeder: decides in Postgres what runs next and keeps the queues topped up with hints.

Every worker process has one; an advisory lock lets one of them work. It remembers which hints are
out, so that a job is not hinted twice without need; a hint that was lost with a worker or with
Redis is sent again. It also reaps leases that ran out and closes batches that are finished.
"""

import asyncio
import time
from uuid import uuid4

import psycopg
import redis

from models.database import conninfo
from models.queue import EPOCH, redis_client, send_hint
from models.sql import load_sql
from models.words import Queue
from worker.db import Row
from worker.log import logger
from worker.order import Affinity, Candidate, depth_for, messages, order
from worker.outage import Outage
from worker.settings import LEASE_S, MAX_KILLS, MICRO_BATCH

LOCK = 0x66656564
BUSY_TICK_S, IDLE_TICK_S = 0.05, 0.25
HOUSEKEEPING_S = 0.5
SILENCE_S = 5.0
"""A feeder that has not beaten for this long is deposed."""

LOST_WHEN_EMPTY_S, LOST_ANYWAY_S = 2.0, 30.0
"""A hint that nobody claimed counts as lost after this long: soon when its queue is empty, for
then it is certainly not in Redis; late when the queue holds others that it may stand behind."""


class Supply:
    """What is out for one queue, and how fast it is taken."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.affinity = Affinity()
        self._hinted: dict[int, float] = {}
        self._rate = 0.0
        self._looked_at: float | None = None

    @property
    def depth(self) -> int:
        """How many hints should be out."""
        return depth_for(self._rate)

    def next(self, window: list[Candidate], in_redis: int, now: float) -> list[Candidate]:
        """Of the window, what has to be hinted now."""
        self._note_taken(window, now)
        patience = LOST_ANYWAY_S if in_redis else LOST_WHEN_EMPTY_S
        fresh = [c for c in window if now - self._hinted.get(c.id, -1e9) > patience]
        for candidate in fresh:
            self._hinted[candidate.id] = now
        self.affinity.fed(fresh, (candidate.model for candidate in window), now)
        return fresh

    def _note_taken(self, window: list[Candidate], now: float) -> None:
        """What was hinted and is not waiting any more was taken: that is the rate."""
        waiting = {candidate.id for candidate in window}
        taken = [hint for hint in self._hinted if hint not in waiting]
        for hint in taken:
            del self._hinted[hint]
        if self._looked_at is not None and now > self._looked_at:
            current = len(taken) / (now - self._looked_at)
            self._rate = max(current, 0.8 * self._rate + 0.2 * current)
        self._looked_at = now

    def forget(self) -> None:
        """Redis lost its data: every hint is out of the world."""
        self._hinted.clear()


class Feeder:
    """One process's feeder; feeds only while it holds the lock."""

    def __init__(self, url: str) -> None:
        self._url = conninfo(url)
        self._postgres = Outage("postgres (feeder)")
        self._redis = Outage("redis")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to try for the lock."""
        self._task = asyncio.create_task(self._run(), name="feeder")

    async def stop(self) -> None:
        """Let the lock go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._session()
            except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
                self._postgres.begin(exc)
            except Exception:
                logger().exception("the feeder stumbled; it starts anew")
            await asyncio.sleep(0.5)

    async def _session(self) -> None:
        """One connection: wait for the lock on it, then feed until something breaks."""
        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=5, row_factory=psycopg.rows.dict_row
        ) as connection:
            self._postgres.end()
            while not await _leads(connection):
                await asyncio.sleep(1.0)
            logger().info("feeding the queues from this process")
            await _Reign(connection, self._redis).feed()


async def _leads(connection: "psycopg.AsyncConnection[Row]") -> bool:
    if (await _all(connection, "lead", lock=LOCK))[0]["leads"]:
        return True
    await _all(connection, "depose", lock=LOCK, silence_s=SILENCE_S)
    return False


class _Reign:
    """The time during which this process feeds."""

    def __init__(self, connection: "psycopg.AsyncConnection[Row]", redis_outage: Outage) -> None:
        self._connection = connection
        self._redis_outage = redis_outage
        self._supplies = {queue: Supply(queue) for queue in Queue}
        self._epoch = uuid4().hex
        # Workers that lived through an outage of Postgres renew first; only then are leases that
        # ran out meanwhile taken for abandoned.
        self._reap_from = time.monotonic() + LEASE_S
        self._kept_house_at = 0.0

    async def feed(self) -> None:
        while True:
            await self._keep_house()
            sent = await self._top_up()
            await asyncio.sleep(BUSY_TICK_S if sent else IDLE_TICK_S)

    async def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._kept_house_at < HOUSEKEEPING_S:
            return
        self._kept_house_at = now
        await _all(self._connection, "beat")
        if now >= self._reap_from:
            await self._reap()
        await _all(self._connection, "close_batches")

    async def _reap(self) -> None:
        jobs = (await _all(self._connection, "reap", max_kills=MAX_KILLS))[0]["jobs"]
        documents = await _all(self._connection, "reap_documents")
        await _all(self._connection, "reap_pending", lease_s=LEASE_S)
        if jobs or documents:
            logger().warning(
                "leases ran out; their work is back in line", jobs=jobs, documents=len(documents)
            )

    async def _top_up(self) -> bool:
        try:
            depths = await asyncio.to_thread(self._look_at_redis)
            sent = False
            for queue, supply in self._supplies.items():
                if depths[queue] < supply.depth:
                    sent |= await self._feed_queue(supply, depths[queue])
            self._redis_outage.end()
            return sent
        except (redis.RedisError, OSError) as exc:
            self._redis_outage.begin(exc)
            return False

    async def _feed_queue(self, supply: Supply, in_redis: int) -> bool:
        name = (
            "window_run"
            if supply.queue in (Queue.LOCAL, Queue.FRONTIER)
            else (f"window_{supply.queue}")
        )
        depth = supply.depth
        rows = await _all(self._connection, name, queue=supply.queue, depth=depth)
        now = time.monotonic()
        candidates = [Candidate(r["id"], r["batch_id"], r["priority"], r["model"]) for r in rows]
        fresh = supply.next(order(candidates, depth, supply.affinity, now), in_redis, now)
        if fresh:
            await asyncio.to_thread(_send, supply.queue, [candidate.id for candidate in fresh])
        return bool(fresh)

    def _look_at_redis(self) -> dict[Queue, int]:
        """Messages per queue; a missing epoch key means that Redis lost everything."""
        with redis_client().pipeline(transaction=False) as pipeline:
            pipeline.get(EPOCH)
            for queue in Queue:
                pipeline.llen(queue)
            epoch, *depths = pipeline.execute()
        if epoch is None or epoch.decode() != self._epoch:
            for supply in self._supplies.values():
                supply.forget()
            redis_client().set(EPOCH, self._epoch)
        return dict(zip(Queue, depths, strict=True))


def _send(queue: Queue, ids: list[int]) -> None:
    try:
        for message in messages(ids, MICRO_BATCH):
            send_hint(queue, message)
    except Exception as exc:  # kombu wraps what Redis raises in several ways
        raise ConnectionError(str(exc)) from exc


async def _all(
    connection: "psycopg.AsyncConnection[Row]", name: str, **params: object
) -> list[Row]:
    cursor = await connection.execute(load_sql("worker", name), params)
    return await cursor.fetchall() if cursor.description else []
