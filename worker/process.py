"""One worker process: its engines, stages and pumps on one event loop, in the order of the path.

ingest   documents -> chunks and jobs
classify (chunk, ask) -> task type -> route
run      local | frontier engine -> answer
persist  answer, ledger and counters together
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from models.queue import redis_url
from models.words import Pool, Queue, Tier
from worker.calls.admission import Admission
from worker.calls.budget import Reservations
from worker.calls.caller import Desk
from worker.calls.grant import Limits as RateLimits
from worker.calls.grant import Timing
from worker.calls.journal import Journal, abandoned
from worker.calls.ledger import Ledger
from worker.calls.limits import Limiter
from worker.calls.prices import PriceBook
from worker.classify.stage import ClassifyStage
from worker.db import Database
from worker.flow.feeder import Feeder
from worker.flow.pump import Pump
from worker.flow.slots import Slots
from worker.ingest.stage import IngestStage
from worker.jsonb import as_json
from worker.llm.gate import Gate
from worker.log import logger
from worker.persist import Persist
from worker.read.sandbox import Reader, make_reader
from worker.run.stage import RunStage
from worker.settings import GRACE_S
from worker.site import EngineSite, Site


class WorkerProcess:
    """Everything between the Celery tasks and the outside, on a loop thread of its own."""

    def __init__(
        self, pool: Pool, site: Site, database_url: str, home: Path, slots: int | None
    ) -> None:
        self.owner = uuid4()
        self._pool = pool
        self._site = site
        self._slots = slots
        self._journals = home / "journal"
        self._db = Database(database_url)
        self._feeder = Feeder(database_url)
        self._pumps: dict[Queue, Pump] = {}
        self._draining: asyncio.Task[None] | None = None
        self.hungry: Callable[[], None] = lambda: None
        """Called from the loop's thread when there is not `enough` of a queue."""
        self._tiers: dict[Tier, tuple[Desk, Slots]] = {}
        self._reader: Reader | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)

    def start(self) -> None:
        """Start the loop and everything on it. Raises what building the engines raises."""
        self._thread.start()
        self._call(self._start()).result()

    def take(self, queue: Queue, ids: Sequence[int]) -> None:
        """Called by a Celery task: work on these ids. Returns once they are here."""
        self._call(self._take(queue, ids)).result()

    async def _take(self, queue: Queue, ids: Sequence[int]) -> None:
        self._pumps[queue].take(ids)

    def enough(self, queue: Queue) -> bool:
        """Whether this process has as many hints as its slots can use soon. Any thread may ask."""
        slots = self._pumps[queue].slots
        hints = sum(pump.hints for pump in self._pumps.values() if pump.slots is slots)
        return self._draining is not None or hints >= slots.ahead

    def begin_drain(self) -> None:
        """Stop claiming and let running work finish; safe to call from a signal handler."""
        self._call(self._begin_drain())

    def stop(self) -> None:
        """After the drain: close everything."""
        try:
            self._call(self._stop()).result(timeout=GRACE_S + STOP_S)
        except TimeoutError:
            logger().error("the last writes did not end in time; leases run out by themselves")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def _call(self, coroutine: Coroutine[None, None, None]) -> "Future[None]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _start(self) -> None:
        await self._db.open()
        self._journal = Journal(self._journals)
        self._persist = Persist(self._db, self._journal, self.owner)
        await self._replay()
        self._replays = asyncio.create_task(self._replay_again(), name="replays")
        for queue in self._pool.queues:
            self._pumps[queue] = self._pump(queue)
        for pump in self._pumps.values():
            pump.start()
        self._feeder.start()

    def _used(self, queue: Queue) -> None:
        if not self.enough(queue):
            try:
                self.hungry()
            except Exception:  # Celery's, and claiming goes on; it looks again by itself
                logger().exception("could not wake who fetches", queue=str(queue))

    async def _replay(self) -> None:
        """Answers that reached this host but not Postgres, before a worker here died."""
        for path, calls in abandoned(self._journals):
            try:
                for start in range(0, len(calls), REPLAY_BLOCK):
                    block = calls[start : start + REPLAY_BLOCK]
                    await self._db.run("settle_calls", calls=as_json(block))
            except psycopg.Error:
                # A journal must never keep a worker from starting: set aside for a person to see.
                logger().exception("a journal could not be replayed", path=str(path))
                path.replace(path.with_suffix(".bad"))
                continue
            if calls:
                logger().info("replayed answers of a worker that died", answers=len(calls))
            path.unlink(missing_ok=True)

    async def _replay_again(self) -> None:
        """A worker that dies while this one lives is not always started again."""
        while True:
            await asyncio.sleep(REPLAY_S)
            await self._replay()

    def _pump(self, queue: Queue) -> Pump:
        config = self._site.config
        used = partial(self._used, queue)
        if queue is Queue.INGEST:
            slots = Slots(self._slots or READERS)
            self._reader = make_reader(config.limits, slots.size)
            stage = IngestStage(self._db, self._reader, config, self.owner)
            return Pump(stage, slots, self._db, used)
        desk, slots = self._desk(Tier.FRONTIER if queue is Queue.FRONTIER else Tier.LOCAL)
        if queue is Queue.CLASSIFY:
            return Pump(ClassifyStage(self._db, desk, config, self.owner), slots, self._db, used)
        run_stage = RunStage(Tier(queue), self._db, desk, self._persist.finish, config, self.owner)
        return Pump(run_stage, slots, self._db, used)

    def _desk(self, tier: Tier) -> tuple[Desk, Slots]:
        """The desk of a tier's engine; classify and local share one, and its slots."""
        if tier in self._tiers:
            return self._tiers[tier]
        site = self._site.engine(tier)
        prices = PriceBook(self._site.config)
        ledger = Ledger(site, prices, self._site.frontier_model)
        budget = self._site.config.limits.usd_per_day
        desk = _make_desk(ledger, self._db, self._journal, self.owner, budget)
        slots = Slots(self._slots or _slots(site))
        self._tiers[tier] = (desk, slots)
        return self._tiers[tier]

    async def _begin_drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="drain")

    async def _drain(self) -> None:
        logger().info(
            "stopping: running calls may finish; a second signal ends it", grace_s=GRACE_S
        )
        await self._feeder.stop()
        await asyncio.gather(*(pump.drain(GRACE_S) for pump in self._pumps.values()))
        await self._close_batches()

    async def _close_batches(self) -> None:
        """The last worker to go notes what its last answers finished."""
        try:
            await self._db.run_once([("close_batches", {})])
        except (psycopg.OperationalError, psycopg.InterfaceError):
            return  # the next feeder does it

    async def _stop(self) -> None:
        await self._begin_drain()
        if self._draining is not None:
            await self._draining
        if self._reader is not None:
            self._reader.close()
        for desk, _ in self._tiers.values():
            await desk.gate.close()
            await desk.engine.close()
            if desk.admission is not None:
                await desk.admission.close()
        self._replays.cancel()
        self._journal.close()
        await self._db.close()


STOP_S = 10.0
"""How long the last writes may take once running calls had their time."""

REPLAY_BLOCK = 100
REPLAY_S = 2.0
"""How often journals of workers that died are looked for: well within the lease of their jobs."""

READERS = 2
"""Documents read at once; each has a child process."""


def _slots(site: EngineSite) -> int:
    if site.tier is Tier.FRONTIER and site.config.max_in_flight is not None:
        return site.config.max_in_flight
    return site.config.slots


def _make_desk(
    ledger: Ledger, db: Database, journal: Journal, owner: UUID, usd_per_day: Decimal | None
) -> Desk:
    site = ledger.site
    engine = site.make()
    where = {"engine": site.config.kind, "host": site.host, "stand_in": site.stand_in}
    admission = _admission(site)
    name = f"the {site.tier} engine at {site.host}"
    return Desk(
        engine=engine,
        gate=Gate(name, engine.health, limited=admission is not None),
        journal=journal,
        ledger=ledger,
        reserve=Reservations(db, owner, where, ledger, usd_per_day),
        admission=admission,
    )


def _admission(site: EngineSite) -> Admission | None:
    """The shared rate limit of a frontier engine; a local engine has its slots."""
    if site.tier is Tier.LOCAL or site.stand_in:
        return None
    config = site.config
    limits = RateLimits.per_minute(config.rpm, config.tpm, config.max_in_flight, config.window_s)
    timing = Timing.over(config.window_s)
    return Admission(Limiter(redis_url(), f"{site.tier}@{site.host}", limits, timing))
