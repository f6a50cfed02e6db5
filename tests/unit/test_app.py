"""What Celery is told, and what a worker of a pool is to do here."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.config import Config
from models.configuration import Configuration
from models.errors import ConfigError
from models.queue import LONGEST_NAME, LOOK, celery_app
from models.words import Pool, Zone
from tests.factories import a_config, a_deployment, the_frontier
from worker import app
from worker.deployment import Deployment
from worker.process import Hooks

QUEUES = ["ingest", "classify:local/a", "local/a", "frontier/big"]


class FakeProcess:
    """Notes what the task hands it."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.queues = list(QUEUES)
        self.rung: list[str] = []
        self.unwanted: set[str] = set()

    def ring(self, queue: str) -> None:
        self.rung.append(queue)

    def wants(self, queue: str) -> bool:
        return queue not in self.unwanted

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


class FakeHub:
    """Notes what it is to call soon."""

    def __init__(self) -> None:
        self.called: list[tuple[Any, ...]] = []

    def call_soon(self, *call: Any) -> None:
        self.called.append(call)


Consumed = tuple[FakeProcess, Any, list[str]]


@pytest.fixture
def consumed(monkeypatch: pytest.MonkeyPatch) -> Consumed:
    """A worker set up and not started: the process, the Celery app, its arguments."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    for name in ("worker_ready", "worker_shutting_down", "worker_shutdown"):
        monkeypatch.setattr(app, name, FakeSignal())
    monkeypatch.setattr(app, "gc", SimpleNamespace(freeze=list, set_threshold=lambda *_: None))
    celery_app.cache_clear()
    process, celery, arguments = FakeProcess(), celery_app(), []
    monkeypatch.setattr(celery, "worker_main", arguments.extend)
    app._consume(process)  # type: ignore[arg-type]
    return process, celery, arguments


def test_there_is_one_task_and_every_queue_that_is_served_is_consumed(consumed):
    _, celery, arguments = consumed
    assert LOOK in celery.tasks
    assert f"--queues={','.join(QUEUES)}" in arguments


def test_the_task_rings_at_the_queue_that_its_message_names(consumed):
    process, celery, _ = consumed
    for queue in QUEUES:
        celery.tasks[LOOK].run(queue)
    assert process.rung == QUEUES


@pytest.mark.parametrize("said", [None, 7, [1, 2], {"queue": "ingest"}, "", "x" * 10**6])
def test_a_message_that_names_no_queue_is_refused_aloud_and_does_no_more_harm(consumed, said):
    process, celery, _ = consumed
    with capture_logs() as logs:
        celery.tasks[LOOK].run(said)
    assert process.rung == []
    [line] = logs
    assert (line["event"], line["log_level"]) == ("refused a message", "warning")
    assert len(line["why"]) < 2 * LONGEST_NAME


def test_the_worker_hands_over_where_it_fetches_and_gossips_with_nobody(consumed):
    _, _, arguments = consumed
    assert "--pool=solo" in arguments
    assert {"--without-gossip", "--without-mingle", "--without-heartbeat"} <= set(arguments)


def test_queues_are_fetched_from_in_turns_and_not_those_whose_messages_say_nothing_new(consumed):
    process, celery, _ = consumed
    order = celery.conf.broker_transport_options["queue_order_strategy"](QUEUES)
    assert order.consume(4) == QUEUES
    order.rotate("ingest")
    process.unwanted = {"classify:local/a", "frontier/big"}
    assert order.consume(4) == ["local/a", "ingest"]
    process.unwanted = set(QUEUES)
    assert order.consume(4) == []
    process.unwanted.clear()
    assert len(order.consume(4)) == 4


@pytest.fixture
def listening(consumed) -> tuple[FakeProcess, FakeHub, Any]:
    """A worker whose consumer is ready: the process, Celery's hub and its consumer."""
    process, _, _ = consumed
    [ready] = app.worker_ready.receivers  # type: ignore[attr-defined]
    hub = FakeHub()
    consumer = SimpleNamespace(hub=hub, add_task_queue=lambda queue: None)
    ready(sender=consumer, signal="ready")
    return process, hub, consumer


def test_a_worker_that_wants_more_wakes_up_who_fetches(listening):
    process, hub, _ = listening
    assert hub.called == []
    process.hooks.hungry()
    [(nudge,)] = hub.called
    nudge()


def test_a_queue_that_is_served_from_now_on_is_consumed_from_now_on(listening):
    process, hub, consumer = listening
    process.hooks.new_queue("local/b")
    assert hub.called == [(consumer.add_task_queue, "local/b")]


def test_a_loop_that_ends_sends_the_process_the_signal_that_drains_it(consumed, monkeypatch):
    process, _, _ = consumed
    sent: list[int] = []
    monkeypatch.setattr(app.os, "kill", lambda pid, number: sent.append(number))
    process.hooks.broken()
    assert sent == [app.signal.SIGTERM]


# --- what a worker is to do -----------------------------------------------------------------------


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What this host reaches, by engine: filled by each test."""
    found: dict[str, Deployment | ConfigError] = {}
    config = a_config(
        engines={"gpu2": {"zone": "local", "kind": "ollama", "url": "http://gpu2:11434"}}
    )

    def deployments(known: Config, zones: frozenset[Zone], *_: Any, chosen: Any) -> Any:
        assert known == config
        names = [name for name, one in config.engines.items() if one.zone in zones]
        return {name: found[name] for name in names if not chosen or name in chosen}

    monkeypatch.setattr(app, "gone_by", lambda zones: Configuration(4, {}, config))
    monkeypatch.setattr(app, "own_config", lambda: None)
    monkeypatch.setattr(app, "deployments", deployments)
    found |= {"local": a_deployment(), "gpu2": a_deployment("gpu2"), "frontier": the_frontier()}
    return found


def plan(pool: Pool, *engines: str) -> Any:
    return app.assign(pool, 3, frozenset(engines), frozenset({"m"}))


@pytest.mark.parametrize(
    ("pool", "served"),
    [
        (Pool.INGEST, []),
        (Pool.LOCAL, ["local", "gpu2"]),
        (Pool.FRONTIER, ["frontier"]),
        (Pool.ALL, ["local", "gpu2", "frontier"]),
    ],
)
def test_a_pool_serves_the_engines_of_its_zones(here, pool, served):
    made = plan(pool)
    assert sorted(one.name for one in made.deployments) == sorted(served)
    assert (made.pool, made.configuration.number, made.slots, made.models) == (
        pool,
        4,
        3,
        frozenset({"m"}),
    )


def test_an_engine_that_is_not_reached_is_left_to_other_workers_and_that_is_said(here):
    here["gpu2"] = ConfigError("engines.gpu2: its address is no URL")
    with capture_logs() as logs:
        made = plan(Pool.LOCAL)
    assert [one.name for one in made.deployments] == ["local"]
    assert [(line["engine"], line["why"]) for line in logs] == [
        ("gpu2", "engines.gpu2: its address is no URL")
    ]


@pytest.mark.parametrize("pool", [Pool.FRONTIER, Pool.ALL])
def test_a_worker_that_reaches_nothing_of_a_zone_does_not_start(here, pool):
    here["frontier"] = ConfigError("no API key")
    with pytest.raises(ConfigError, match="no API key"):
        plan(pool)


def test_a_worker_that_is_told_to_serve_an_engine_serves_it_or_does_not_start(here):
    assert [one.name for one in plan(Pool.LOCAL, "gpu2").deployments] == ["gpu2"]
    here["gpu2"] = ConfigError("engine gpu2 has no API key here")
    with pytest.raises(ConfigError, match="gpu2"):
        plan(Pool.LOCAL, "gpu2", "local")
