"""The Celery worker: four tasks that hand ids to this process's loop, and how it starts and stops.

Tasks run where Celery fetches messages: all that they do is to hand a micro-batch over to the event
loop that the work runs on.
"""

import gc
import os
import signal
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from celery.platforms import SecurityWarning  # noqa: TID251
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down  # noqa: TID251
from kombu.connection import Connection
from kombu.utils.scheduling import round_robin_cycle

from models.config import load_config
from models.database import database_url, ready_engine
from models.errors import InputError
from models.queue import TASKS, celery_app, read_hint
from models.settings import settings
from models.words import Pool, Queue, Tier
from worker.log import logger, set_up
from worker.process import WorkerProcess
from worker.settings import secrets
from worker.site import Site, find_site

RECONNECT_S = 2
"""How often a worker looks for a Redis that is away. Left to itself kombu waits up to 30 s."""


def serve(pool: Pool, slots: int | None) -> None:
    """Run one worker pool in this process until it is told to stop.

    Raises DocmillError when it cannot be run here (no API key, wrong config, no schema).
    """
    set_up(pool)
    site = find_site(load_config(settings().docmill_config), settings(), secrets())
    _refuse_what_is_missing(pool, site)
    ready_engine().dispose()
    process = WorkerProcess(pool, site, database_url(), settings().home, slots)
    process.start()
    logger().info(
        "worker started",
        queues=",".join(pool.queues),
        local=f"{site.config.classifier.model} at {site.local.host}",
    )
    _consume(pool, process)


def _refuse_what_is_missing(pool: Pool, site: Site) -> None:
    if Queue.FRONTIER in pool.queues:
        site.engine(Tier.FRONTIER)


GC_THRESHOLDS = (20_000, 20, 20)
"""A loop full of short-lived futures and rows makes no cycles worth looking for at every 700 of
them: with Python's own thresholds, collecting is a seventh of a worker's CPU."""


def fetching(enough: Callable[[Queue], bool]) -> type[round_robin_cycle]:
    """The order in which queues are fetched from, for kombu: in turns, and never from one that
    there is enough of here. What a worker cannot use soon is left to other hosts, and to what is
    more urgent."""

    class Fetching(round_robin_cycle):
        def consume(self, n: int) -> list[str]:
            queues: list[str] = super().consume(n)  # type: ignore[no-untyped-call]
            return [queue for queue in queues if not enough(Queue(queue))]

    return Fetching


def _nudge() -> None:
    """What wakes Celery's hub up; awake, it looks by itself which queues to fetch from."""


class _Connection(Connection):
    """Does not lose patience with a Redis that is away for long."""

    def ensure_connection(self, *args: Any, **more: Any) -> Any:
        return super().ensure_connection(  # type: ignore[no-untyped-call]
            *args, **more, interval_max=RECONNECT_S
        )


def _consume(pool: Pool, process: WorkerProcess) -> None:
    app = celery_app()
    app.amqp.Connection = _Connection
    for queue in pool.queues:
        app.task(name=TASKS[queue], shared=False)(task_for(process.take, queue))
    app.conf.broker_transport_options["queue_order_strategy"] = fetching(process.enough)
    worker_ready.connect(lambda sender, **_: _listen(process, sender), weak=False)
    worker_shutting_down.connect(lambda **_: _leave(process), weak=False)
    worker_shutdown.connect(lambda **_: process.stop(), weak=False)
    # It warns of root because of pickle, which we do not accept.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=solo",
            f"--queues={','.join(pool.queues)}",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


def _listen(process: WorkerProcess, consumer: Any) -> None:
    process.hungry = lambda: consumer.hub.call_soon(_nudge)


def task_for(take: Callable[[Queue, Sequence[int]], None], queue: Queue) -> Callable[..., None]:
    """The body of a queue's task: what is no hint is refused, aloud, and does no more harm."""

    def task(ids: object) -> None:
        try:
            hint = read_hint(ids)
        except InputError as exc:
            logger().warning("refused a message", queue=str(queue), why=str(exc))
        else:
            take(queue, hint)

    return task


def _leave(process: WorkerProcess) -> None:
    """The first signal drains; the second ends the process at once. Nothing is lost by it: leases
    run out and the journal is replayed. (Celery's own second step does not know this pool.)"""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    process.begin_drain()
