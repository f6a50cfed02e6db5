"""When a worker process wants more hints, and what tells who fetches them."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.config import Config, EngineConfig
from models.errors import ConfigError
from models.words import Pool, Queue, Tier
from tests.stubs.fake import FakeEngine
from worker.flow.slots import Slots
from worker.process import WorkerProcess
from worker.site import EngineSite, Site

SITE = Site(
    config=Config(),
    local=EngineSite(Tier.LOCAL, EngineConfig(kind="ollama"), FakeEngine, "engine"),
    frontier=ConfigError("no key"),
    frontier_model="m",
)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[WorkerProcess]:
    """A process that is not started: classify and local share four slots, ingest has two."""
    made = WorkerProcess(Pool.ALL, SITE, "postgresql://nowhere/none", tmp_path, None)
    local, ingest = Slots(4), Slots(2)
    pumps: Any = made._pumps
    pumps[Queue.CLASSIFY] = SimpleNamespace(slots=local, hints=0)
    pumps[Queue.LOCAL] = SimpleNamespace(slots=local, hints=0)
    pumps[Queue.INGEST] = SimpleNamespace(slots=ingest, hints=0)
    yield made
    made._loop.close()


def hold(process: WorkerProcess, queue: Queue, hints: int) -> None:
    """So many hints of a queue wait in this process."""
    pump: Any = process._pumps[queue]
    pump.hints = hints


def test_there_is_enough_when_the_slots_can_be_filled_once_more(process: WorkerProcess) -> None:
    hold(process, Queue.LOCAL, 3)
    assert not process.enough(Queue.LOCAL)
    hold(process, Queue.LOCAL, 4)
    assert process.enough(Queue.LOCAL)


def test_queues_that_share_slots_have_enough_together_and_others_alone(
    process: WorkerProcess,
) -> None:
    hold(process, Queue.CLASSIFY, 3)
    hold(process, Queue.LOCAL, 1)
    assert process.enough(Queue.CLASSIFY)
    assert process.enough(Queue.LOCAL)
    assert not process.enough(Queue.INGEST)


def test_who_fetches_is_called_while_there_is_not_enough(process: WorkerProcess) -> None:
    calls: list[int] = []
    process.hungry = lambda: calls.append(1)
    hold(process, Queue.LOCAL, 4)
    process._used(Queue.LOCAL)
    assert calls == []
    hold(process, Queue.LOCAL, 3)
    process._used(Queue.LOCAL)
    assert calls == [1]


async def test_a_process_that_leaves_has_enough_of_everything_and_drains_once(
    process: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    drains: list[int] = []

    async def drain() -> None:
        drains.append(1)

    monkeypatch.setattr(process, "_drain", drain)
    await process._begin_drain()
    assert all(process.enough(queue) for queue in (Queue.INGEST, Queue.CLASSIFY, Queue.LOCAL))
    await process._begin_drain()
    assert process._draining is not None
    await process._draining
    assert drains == [1]
