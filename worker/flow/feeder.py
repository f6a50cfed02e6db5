"""The feeder: decides in Postgres what runs next and keeps the queues topped up with hints.

Every worker process has one; an advisory lock lets one of them work. It remembers which hints are
out, so that a job is not hinted twice without need; a hint that was lost with a worker or with
Redis is sent again. It also reaps leases that ran out and closes batches that are finished.
"""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from math import exp
from uuid import uuid4

import psycopg
import redis

from models.database import conninfo
from models.queue import EPOCH, redis_client, send_hint
from models.sql import load_sql
from models.words import Queue
from worker.db import Row, prefer_indexes
from worker.flow.fairness import (
    MOST_DEPTH,
    Affinity,
    Candidate,
    depth_for,
    messages,
    order,
    rate_for,
)
from worker.log import logger
from worker.outage import Outage
from worker.settings import LEASE_S, MAX_KILLS, MICRO_BATCH

LOCK = 0x66656564
BUSY_TICK_S, IDLE_TICK_S = 0.05, 0.25
HOUSEKEEPING_S = 0.5
STEADY_S = 1.0
"""Over about this long the rate of a queue is averaged."""

SILENCE_S = 5.0
"""A feeder that has not beaten for this long is deposed."""

OUTAGE_S = 7.0
"""When no feeder has beaten for this long, Postgres may have been away: workers that lived through
that renew first, and only then are leases that ran out taken for abandoned."""

MONTHS_S, MONTHS_AGAIN_S = 3600.0, 60.0
"""How often is looked whether the ledger has its next partitions, and again where it was in use."""

LOST_WHEN_EMPTY_S, LOST_ANYWAY_S = 2.0, 30.0
"""A hint that nobody claimed counts as lost after this long: soon when its queue is empty, for
then it is certainly not in Redis; late when the queue holds others that it may stand behind."""


STATEMENTS = {
    Queue.INGEST: ("waiting_ingest", "window_ingest"),
    Queue.CLASSIFY: ("waiting_classify", "window_classify"),
    Queue.LOCAL: ("waiting_run", "window_run"),
    Queue.FRONTIER: ("waiting_run", "window_run"),
}
"""Per queue: which hints still wait, and what could be hinted."""


class Supply:
    """What is out for one queue, and how fast it is taken."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.affinity = Affinity()
        self._hinted: dict[int, float] = {}
        self._sizes: deque[int] = deque(maxlen=MOST_DEPTH)
        self._rate = 0.0
        self._looked_at: float | None = None

    @property
    def depth(self) -> int:
        """How many hints Redis should hold."""
        return depth_for(self._rate)

    @property
    def busy(self) -> bool:
        """Whether a queue that is half full, as one that needs no helping may be, could run dry
        before an idle look, were it emptied twice as fast as lately."""
        return self._rate * IDLE_TICK_S > self.depth / 4

    @property
    def hinted(self) -> list[int]:
        """Hints that are out: in Redis, or at a worker that has not claimed them yet."""
        return list(self._hinted)

    def room(self, in_redis: int) -> int:
        """How many more hints Redis should hold, given its messages: those sent last."""
        known = list(self._sizes)[-in_redis:] if in_redis else []
        return self.depth - sum(known) - (in_redis - len(known))

    def next(
        self, candidates: list[Candidate], depth: int, in_redis: int, now: float
    ) -> list[Candidate]:
        """Of what could run, what has to be hinted now, in its order."""
        patience = LOST_ANYWAY_S if in_redis else LOST_WHEN_EMPTY_S
        window = order(candidates, depth, self.affinity, now)
        due = (c for c in window if now - self._hinted.get(c.id, -1e9) > patience)
        fresh = list(islice(due, max(self.room(in_redis), 0)))
        for candidate in fresh:
            self._hinted[candidate.id] = now
        self.affinity.fed(fresh, (candidate.model for candidate in candidates), now)
        return fresh

    def note_taken(self, waiting: Collection[int], now: float, *, dry: bool = False) -> None:
        """What was hinted and is not waiting any more was taken: that is the rate. A queue that ran
        dry could have given more: it may hold up to twice as much from now on."""
        taken = self._hinted.keys() - waiting
        for hint in taken:
            del self._hinted[hint]
        if self._looked_at is not None and now > self._looked_at:
            passed = now - self._looked_at
            seen, twice = len(taken) / passed, rate_for(2 * self.depth)
            self._rate += (1.0 - exp(-passed / STEADY_S)) * (seen - self._rate)
            if dry:
                self._rate = max(self._rate, min(seen, twice))
        self._looked_at = now

    def sent(self, size: int) -> None:
        """A message of this many hints went to Redis."""
        self._sizes.append(size)

    def unsent(self, ids: Iterable[int]) -> None:
        """These did not get there."""
        for hint in ids:
            self._hinted.pop(hint, None)

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
            await prefer_indexes(connection)
            while not await _leads(connection):
                await asyncio.sleep(1.0)
            logger().info("feeding the queues from this process")
            silence_s = (await _all(connection, "silence"))[0]["seconds"]
            await _Reign(connection, self._redis, was_away=silence_s > OUTAGE_S).feed()


async def _leads(connection: "psycopg.AsyncConnection[Row]") -> bool:
    if (await _all(connection, "lead", lock=LOCK))[0]["leads"]:
        return True
    await _all(connection, "depose", lock=LOCK, silence_s=SILENCE_S)
    return False


class _Reign:
    """The time during which this process feeds."""

    def __init__(
        self,
        connection: "psycopg.AsyncConnection[Row]",
        redis_outage: Outage,
        *,
        was_away: bool,
    ) -> None:
        self._connection = connection
        self._redis_outage = redis_outage
        self._supplies = {queue: Supply(queue) for queue in Queue}
        self._epoch = uuid4().hex
        self._reap_from = time.monotonic() + (LEASE_S if was_away else 0.0)
        self._kept_house_at = 0.0
        self._months_due = 0.0

    async def feed(self) -> None:
        while True:
            await self._keep_house()
            sent = await self._top_up()
            busy = sent or any(supply.busy for supply in self._supplies.values())
            await asyncio.sleep(BUSY_TICK_S if busy else IDLE_TICK_S)

    async def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._kept_house_at < HOUSEKEEPING_S:
            return
        self._kept_house_at = now
        await _all(self._connection, "beat")
        if now >= self._reap_from:
            await self._reap()
        await _all(self._connection, "resume_due")
        await _all(self._connection, "close_batches")
        if now >= self._months_due:
            await self._make_months(now)

    async def _make_months(self, now: float) -> None:
        """Two months ahead, so that it need not be the first moment in which the ledger is free."""
        try:
            await _all(self._connection, "make_months")
            self._months_due = now + MONTHS_S
        except psycopg.errors.LockNotAvailable:
            self._months_due = now + MONTHS_AGAIN_S
        except psycopg.errors.ProgrammingError:
            # Nothing stops for it: what has no partition of its own stands in calls_other.
            logger().exception("the ledger's next partitions could not be made")
            self._months_due = now + MONTHS_S

    async def _reap(self) -> None:
        jobs = (await _all(self._connection, "reap", max_kills=MAX_KILLS))[0]["jobs"]
        documents = await _all(self._connection, "reap_documents")
        await _all(self._connection, "reap_calls", lease_s=LEASE_S)
        if jobs or documents:
            logger().warning(
                "leases ran out; their work is back in line", jobs=jobs, documents=len(documents)
            )

    async def _top_up(self) -> bool:
        try:
            depths = await asyncio.to_thread(self._look_at_redis)
            sent = False
            for queue, supply in self._supplies.items():
                # In helpings, not one by one: a message for every hint would wear everybody out.
                if supply.room(depths[queue]) * 2 >= supply.depth:
                    sent |= await self._feed_queue(supply, depths[queue])
            self._redis_outage.end()
            return sent
        except (redis.RedisError, OSError) as exc:
            self._redis_outage.begin(exc)
            return False

    async def _feed_queue(self, supply: Supply, in_redis: int) -> bool:
        queue = supply.queue
        waiting, window = STATEMENTS[queue]
        now = time.monotonic()
        hinted = supply.hinted
        rows = await _all(self._connection, waiting, queue=queue, ids=hinted) if hinted else []
        supply.note_taken({row["id"] for row in rows}, now, dry=not in_redis)
        depth = supply.room(in_redis) + len(supply.hinted)
        rows = await _all(self._connection, window, queue=queue, depth=depth)
        candidates = [Candidate(r["id"], r["batch_id"], r["priority"], r["model"]) for r in rows]
        fresh = supply.next(candidates, depth, in_redis, now)
        await self._send(supply, [candidate.id for candidate in fresh])
        return bool(fresh)

    async def _send(self, supply: Supply, ids: list[int]) -> None:
        if not ids:
            return
        chosen = messages(ids, MICRO_BATCH)
        try:
            await asyncio.to_thread(_send, supply.queue, chosen)
        except ConnectionError:
            supply.unsent(ids)
            raise
        for message in chosen:
            supply.sent(len(message))

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


def _send(queue: Queue, chosen: Sequence[Sequence[int]]) -> None:
    try:
        for ids in chosen:
            send_hint(queue, ids)
    except Exception as exc:  # kombu wraps what Redis raises in several ways
        raise ConnectionError(str(exc)) from exc


async def _all(
    connection: "psycopg.AsyncConnection[Row]", name: str, **params: object
) -> list[Row]:
    cursor = await connection.execute(load_sql("worker", name), params)
    return await cursor.fetchall() if cursor.description else []
