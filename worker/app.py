"""The Celery worker: one task that says where there is work, and how it starts and stops.

Tasks run where Celery fetches messages: all that one does is to ring at the pump of its queue, on
the event loop that the work runs on.
"""

import gc
import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

from celery.platforms import SecurityWarning  # noqa: TID251
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down  # noqa: TID251
from kombu.connection import Connection
from kombu.utils.scheduling import round_robin_cycle

from models.config import Config
from models.configuration import gone_by, own_config
from models.database import database_url, make_ready
from models.errors import ConfigError, InputError
from models.queue import LOOK, celery_app, read_message
from models.settings import settings
from models.words import Pool, Zone
from worker.deployment import Deployment, deploy, deployments
from worker.log import logger, set_up
from worker.process import Assignment, WorkerProcess
from worker.prompts.files import check

RECONNECT_S = 2
"""How often a worker looks for a Redis that is away. Left to itself kombu waits up to 30 s."""


def serve(pool: Pool, slots: int | None, engines: frozenset[str], models: frozenset[str]) -> int:
    """Run one worker pool in this process until it is told to stop. 0, or 1 where one of its own
    loops ended.

    Raises DocmillError when it cannot be run here (no API key, wrong config, no schema).
    """
    set_up(pool)
    assignment = assign(pool, slots, engines, models)
    make_ready()
    process = WorkerProcess(assignment, database_url(), settings().home)
    process.start()
    logger().info(
        "worker started",
        configuration=assignment.configuration.number,
        queues=",".join(sorted(process.queues)),
        engines=",".join(f"{one.name} at {one.host}" for one in assignment.deployments),
    )
    _consume(process)
    return int(process.failed)


def assign(
    pool: Pool, slots: int | None, engines: frozenset[str], models: frozenset[str]
) -> Assignment:
    """What a worker of this pool does here. Raises ConfigError where it could do nothing, or not
    what it was told to."""
    configuration = gone_by(pool.zones)
    check(configuration.config.prompts)
    found = deployments(configuration.config, pool.zones, own_config(), settings(), chosen=engines)
    missing = {name: one for name, one in found.items() if isinstance(one, ConfigError)}
    reached = [one for one in found.values() if isinstance(one, Deployment)]
    shown = _shown(configuration.config) if pool.reads else None
    for name, problem in missing.items():
        if name in engines or not _other(reached, configuration.config.engines[name].zone):
            raise problem
        logger().warning("an engine is left to other workers", engine=name, why=str(problem))
    return Assignment(pool, configuration, reached, slots, models, shown)


def _shown(config: Config) -> Deployment | None:
    """The engine that pages are shown to; None: there is none. Raises ConfigError where it cannot
    be reached from here."""
    seen_by = config.reading.seen_by
    return None if seen_by is None else deploy(seen_by.engine, config, own_config(), settings())


def _other(reached: list[Deployment], zone: Zone) -> bool:
    return any(one.zone is zone for one in reached)


GC_THRESHOLDS = (20_000, 20, 20)
"""A loop full of short-lived futures and rows makes no cycles worth looking for at every 700 of
them: with Python's own thresholds, collecting is a seventh of a worker's CPU."""


def fetching(wants: Callable[[str], bool]) -> type[round_robin_cycle]:
    """The order in which queues are fetched from, for kombu: in turns, and never from one whose
    messages say nothing new here. They are left to workers that have nothing to do."""

    class Fetching(round_robin_cycle):
        def consume(self, n: int) -> list[str]:
            queues: list[str] = super().consume(n)  # type: ignore[no-untyped-call]
            return [queue for queue in queues if wants(queue)]

    return Fetching


def _nudge() -> None:
    """What wakes Celery's hub up; awake, it looks by itself which queues to fetch from."""


class _Connection(Connection):
    """Does not lose patience with a Redis that is away for long."""

    def ensure_connection(self, *args: Any, **more: Any) -> Any:
        return super().ensure_connection(  # type: ignore[no-untyped-call]
            *args, **more, interval_max=RECONNECT_S
        )


def _consume(process: WorkerProcess) -> None:
    app = celery_app()
    app.amqp.Connection = _Connection
    app.task(name=LOOK, shared=False)(task_for(process.ring))
    app.conf.broker_transport_options["queue_order_strategy"] = fetching(process.wants)
    worker_ready.connect(lambda sender, **_: _listen(process, sender), weak=False)
    worker_shutting_down.connect(lambda **_: _leave(process), weak=False)
    worker_shutdown.connect(lambda **_: process.stop(), weak=False)
    # It warns of root because of pickle, which we do not accept.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    process.hooks.broken = lambda: os.kill(os.getpid(), signal.SIGTERM)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=solo",
            f"--queues={','.join(process.queues)}",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


def _listen(process: WorkerProcess, consumer: Any) -> None:
    process.hooks.hungry = lambda: consumer.hub.call_soon(_nudge)
    process.hooks.new_queue = lambda queue: consumer.hub.call_soon(consumer.add_task_queue, queue)


def task_for(ring: Callable[[str], None]) -> Callable[..., None]:
    """The body of the task: what is no message is refused, aloud, and does no more harm."""

    def look(queue: object) -> None:
        try:
            ring(read_message(queue))
        except InputError as exc:
            logger().warning("refused a message", why=str(exc))

    return look


def _leave(process: WorkerProcess) -> None:
    """The first signal drains; the second ends the process at once. Nothing is lost by it: leases
    run out and the journal is replayed. (Celery's own second step does not know this pool.)"""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    process.begin_drain()
