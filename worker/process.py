"""One worker process: everything on one event loop, in the order of the path, all of it supervised.

ingest   documents -> chunks and jobs
classify (chunk, ask) -> task type -> route
run      engine -> answer
persist  answer, ledger and counters together

A background loop that ends takes the process with it: it drains, and ends with code 1. Another
process goes on.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from uuid import uuid4

import psycopg

from models.config import Config
from models.configuration import Configuration
from models.words import INGEST, Pool
from worker.calls.access import ModelAccess
from worker.calls.journal import Journal
from worker.calls.rates import KeptRates
from worker.calls.replay import Replay
from worker.configs import Configs
from worker.db import Database
from worker.deployment import Deployment
from worker.flow.leader import Leadership
from worker.flow.leases import Leases
from worker.flow.loops import run_together
from worker.flow.pump import Pump
from worker.log import logger
from worker.persist import Persist, purged_calls, settle_calls
from worker.presence import Presence
from worker.rates import RateBook
from worker.read.scans import DocumentReader, make_reader
from worker.settings import GRACE_S
from worker.wiring import (
    READERS,
    Service,
    Shared,
    make_bulks,
    make_pages,
    make_reading,
    page_calls,
    queue_of,
    queues_of,
)

STOP_S = 10.0
"""How long the last writes may take once running calls had their time."""

REPLAY_S = 2.0
"""How often journals of workers that died are looked for: well within the lease of their jobs."""

FORGET_S = 60.0
"""How often what is kept aside is looked at for what was purged."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker process is to do."""

    pool: Pool
    configuration: Configuration
    deployments: Sequence[Deployment]
    slots: int | None = None
    models: frozenset[str] = frozenset()
    """The models that it keeps to; empty: all that its engines have."""
    shown: Deployment | None = None
    """The engine that pages are shown to, where a model reads them."""


@dataclass(slots=True)
class Hooks:
    """What the process calls from its loop's thread."""

    hungry: Callable[[], None] = lambda: None
    """Messages are of use again."""
    new_queue: Callable[[str], None] = lambda _: None
    """There is one more queue to take messages from."""
    broken: Callable[[], None] = lambda: None
    """A background loop has ended: the process has to."""


class WorkerProcess:
    """Everything between the Celery task and the outside, on a loop thread of its own."""

    def __init__(self, assignment: Assignment, database_url: str, home: Path) -> None:
        self.owner = uuid4()
        self.hooks = Hooks()
        self.failed = False
        """Whether a background loop ended by itself."""
        self._assignment = assignment
        self._journals = home / "journal"
        self._db = Database(database_url)
        self._leases = Leases(database_url, self.owner)
        self._leadership = Leadership(database_url)
        known = assignment.configuration
        self._configs = Configs(self._db, known.number, known.config)
        self._services: dict[str, Service] = {}
        self._reader: DocumentReader | None = None
        self._shown: ModelAccess | None = None
        self._reading: Pump | None = None
        self._pump_of: dict[str, Pump] = {}
        self._running: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)

    # --- called from other threads --------------------------------------------------------------

    def start(self) -> None:
        """Start the loop and everything on it. Raises what building the engines raises."""
        self._thread.start()
        self._call(self._start()).result()

    @property
    def queues(self) -> list[str]:
        """The queues that it serves."""
        return list(self._pump_of)

    def ring(self, queue: str) -> None:
        """Called by the Celery task: there is something in this queue."""
        self._loop.call_soon_threadsafe(self._ring, queue)

    def _ring(self, queue: str) -> None:
        if queue in self._pump_of:
            self._pump_of[queue].ring(queue)

    def wants(self, queue: str) -> bool:
        """Whether a message of this queue would say anything new here."""
        pump = self._pump_of.get(queue)
        return pump is not None and self._draining is None and pump.wants(queue)

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

    # --- starting -------------------------------------------------------------------------------

    async def _start(self) -> None:
        await self._db.open()
        self._journal = Journal(self._journals)
        self._replay = Replay(self._journals, partial(settle_calls, self._db))
        await self._replay.look()
        shared = Shared(
            db=self._db,
            leases=self._leases,
            journal=self._journal,
            persist=Persist(self._db, self._journal, self.owner),
            configs=self._configs,
            owner=self.owner,
            wanted=self._hungry,
            rates=RateBook(),
        )
        for queue in queues_of(self._configs.current):
            shared.rates.of(queue.model)
        self._rates = KeptRates(self._db, shared.rates)
        await self._rates.look()
        for deployment in self._assignment.deployments:
            service = Service(deployment, shared, self._assignment.slots, self._assignment.models)
            self._services[deployment.name] = service
        self._bulks = make_bulks(shared, self._services.values())
        if self._assignment.pool.reads:
            self._read(shared, self._configs.current)
        self._presence = Presence(
            self._db,
            self.owner,
            self._assignment.pool,
            self._configs,
            {name: (one.access, one.pump) for name, one in self._services.items()},
            self._serve,
            self._shown,
        )
        await self._serve()
        await self._presence.look()
        await self._presence.say()
        self._running = asyncio.create_task(self._run(), name="process")

    def _read(self, shared: Shared, config: Config) -> None:
        readers = self._assignment.slots or READERS
        pages, shown = None, self._assignment.shown
        if shown is not None:
            beside = self._services.get(shown.name)
            pages = make_pages(page_calls(shown, beside, shared), shared, readers)
            self._shown = pages.shown
        self._reader = make_reader(config, readers, pages)
        self._reading = make_reading(shared, self._reader, readers)
        self._pump_of[INGEST.name] = self._reading

    async def _serve(self) -> None:
        """Serve what the configuration that counts asks for, and what older batches still wait
        in."""
        engines = list(self._services)
        rows = await self._db.run("flow/engine_queues", engines=engines) if engines else []
        queues = queues_of(self._configs.current) | {queue_of(row) for row in rows}
        for service in self._services.values():
            service.go_by(self._configs.current)
            service.serve(queues)
            for name in service.pump.lanes:
                if name not in self._pump_of:
                    self._pump_of[name] = service.pump
                    self.hooks.new_queue(name)

    def _hungry(self) -> None:
        try:
            self.hooks.hungry()
        except Exception:  # Celery's, and claiming goes on; it looks again by itself
            logger().exception("could not wake who fetches")

    # --- running --------------------------------------------------------------------------------

    @property
    def _pumps(self) -> list[Pump]:
        reading = [self._reading] if self._reading is not None else []
        return [*reading, *(service.pump for service in self._services.values())]

    async def _run(self) -> None:
        """All background loops, until they are cancelled or one of them ends."""
        try:
            await run_together(
                leases=self._leases.run(),
                leadership=self._leadership.run(),
                presence=self._presence.run(),
                models=self._presence.watch_models(),
                replays=self._replays(),
                rates=self._rates.run(),
                bulks=self._bulks.run(),
                **{f"pump {n} {pump.name}": pump.run() for n, pump in enumerate(self._pumps)},
            )
        except ExceptionGroup:
            self.failed = True
            logger().exception("a background loop ended: this process stops")
            self.hooks.broken()

    async def _replays(self) -> None:
        """A worker that dies while this one lives is not always started again."""
        for turn in count(1):
            await asyncio.sleep(REPLAY_S)
            await self._replay.look()
            if turn % round(FORGET_S / REPLAY_S) == 0:
                await self._replay.forget(partial(purged_calls, self._db))

    # --- stopping -------------------------------------------------------------------------------

    async def _begin_drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="drain")

    async def _drain(self) -> None:
        logger().info(
            "stopping: running calls may finish; a second signal ends it", grace_s=GRACE_S
        )
        await asyncio.gather(*(pump.drain(GRACE_S) for pump in self._pumps))
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _stop(self) -> None:
        await self._begin_drain()
        if self._draining is not None:
            await self._draining
        if self._reader is not None:
            self._reader.close()
        await self._bulks.close()
        for service in self._services.values():
            await service.close()
        shown = self._shown
        if shown is not None and shown.access.deployment.name not in self._services:
            await shown.access.close()
        try:
            await self._presence.leave()
        except (psycopg.OperationalError, psycopg.InterfaceError):
            logger().info("postgres is away: this worker's silence says that it has left")
        self._journal.close()
        await self._db.close()
