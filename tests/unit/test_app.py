from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest

from models.queue import TASKS, celery_app
from models.words import Pool, Queue
from worker import app


class FakeProcess:
    """Notes what the tasks hand it."""

    def __init__(self) -> None:
        self.taken: list[tuple[Queue, list[int]]] = []
        self.full: set[Queue] = set()

    def take(self, queue, ids):
        self.taken.append((queue, ids))

    def enough(self, queue):
        return queue in self.full

    def begin_drain(self) -> None:
        pytest.fail("nothing was stopped")

    stop = begin_drain


class FakeSignal:
    """Keeps what is connected to itself."""

    def __init__(self) -> None:
        self.receivers: list[Callable[..., None]] = []

    def connect(self, receiver: Callable[..., None], *, weak: bool) -> None:
        assert weak is False
        self.receivers.append(receiver)


@pytest.fixture
def consumed(monkeypatch: pytest.MonkeyPatch):
    """Registers a pool's tasks without starting a worker: (process, Celery app, its arguments)."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(app, "worker_ready", FakeSignal())
    monkeypatch.setattr(app, "worker_shutting_down", FakeSignal())
    monkeypatch.setattr(app, "worker_shutdown", FakeSignal())

    def consume(pool: Pool):
        celery_app.cache_clear()
        process, celery, arguments = FakeProcess(), celery_app(), []
        monkeypatch.setattr(celery, "worker_main", arguments.extend)
        # Shared tasks would also be registered with the next test's application.
        monkeypatch.setattr(celery, "task", partial(celery.task, shared=False))
        app._consume(pool, process)
        return process, celery, arguments

    return consume


@pytest.mark.parametrize("pool", Pool)
def test_a_pool_has_a_task_for_each_of_its_queues_and_for_no_other(consumed, pool):
    _, celery, arguments = consumed(pool)
    ours = {name for name in celery.tasks if name in TASKS.values()}
    assert ours == {TASKS[queue] for queue in pool.queues}
    assert f"--queues={','.join(pool.queues)}" in arguments


def test_every_task_that_is_sent_is_taken(consumed):
    _, celery, _ = consumed(Pool.ALL)
    assert set(TASKS.values()) <= set(celery.tasks)


def test_each_task_hands_its_ids_to_its_own_queue(consumed):
    process, celery, _ = consumed(Pool.ALL)
    for number, queue in enumerate(Queue):
        celery.tasks[TASKS[queue]].run([number, number + 1])
    assert process.taken == [(queue, [n, n + 1]) for n, queue in enumerate(Queue)]


@pytest.mark.parametrize("pool", Pool)
def test_the_worker_hands_over_where_it_fetches_and_gossips_with_nobody(consumed, pool):
    _, _, arguments = consumed(pool)
    assert "--pool=solo" in arguments
    assert {"--without-gossip", "--without-mingle", "--without-heartbeat"} <= set(arguments)


def test_queues_are_fetched_from_in_turns_and_not_those_that_there_is_enough_of(consumed):
    process, celery, _ = consumed(Pool.ALL)
    order = celery.conf.broker_transport_options["queue_order_strategy"](list(Pool.ALL.queues))
    assert order.consume(4) == ["ingest", "classify", "local", "frontier"]
    order.rotate("ingest")
    process.full = {Queue.CLASSIFY, Queue.FRONTIER}
    assert order.consume(4) == ["local", "ingest"]
    process.full = set(Queue)
    assert order.consume(4) == []
    process.full.clear()
    assert len(order.consume(4)) == 4


def test_a_worker_that_wants_more_wakes_up_who_fetches(consumed):
    process, _, _ = consumed(Pool.LOCAL)
    [ready] = app.worker_ready.receivers
    called: list[Callable[[], None]] = []
    ready(sender=SimpleNamespace(hub=SimpleNamespace(call_soon=called.append)), signal="ready")
    assert called == []
    process.hungry()
    assert len(called) == 1
    called[0]()
