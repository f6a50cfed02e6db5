"""One worker process, its parts made by hand: who is told what, and what ends it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.configuration import Configuration
from models.words import Pool
from tests.clock import virtual_time
from tests.factories import a_config
from worker.process import Assignment, Hooks, WorkerProcess


class FakePump:
    """Notes who rang, and whether it runs."""

    def __init__(self, name: str, *queues: str) -> None:
        self.name = name
        self.lanes = dict.fromkeys(queues)
        self.rung: list[str] = []
        self.wanted = True
        self.runs = 0
        self.drained = 0

    def ring(self, queue: str) -> None:
        self.rung.append(queue)

    def wants(self, queue: str) -> bool:
        return self.wanted

    async def run(self) -> None:
        self.runs += 1
        await asyncio.Event().wait()

    async def drain(self, grace_s: float) -> None:
        self.drained += 1


async def for_ever() -> None:
    await asyncio.Event().wait()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Any]:
    """A process that is not started."""
    plan = Assignment(Pool.ALL, Configuration(1, {}, a_config()), [])
    made: Any = WorkerProcess(plan, "postgresql://nowhere/none", tmp_path)
    for part in ("_leases", "_leadership"):
        setattr(made, part, SimpleNamespace(run=for_ever))
    made._presence = SimpleNamespace(run=for_ever, watch_models=for_ever)
    made._bulks = SimpleNamespace(run=for_ever)
    made._rates = SimpleNamespace(run=for_ever)
    made._replays = for_ever
    yield made
    made._loop.close()


def engine(process: Any, name: str, *queues: str) -> FakePump:
    """An engine that the process serves."""
    pump = FakePump(name, *queues)
    process._services[name] = SimpleNamespace(pump=pump)
    process._pump_of |= dict.fromkeys(queues, pump)
    return pump


# --- messages -------------------------------------------------------------------------------------


def test_a_message_is_handed_to_the_pump_of_its_queue(process):
    one, other = engine(process, "local", "local/a", "local/b"), engine(process, "gpu2", "gpu2/c")
    for queue in ("local/b", "gpu2/c", "nobody/x"):
        process._ring(queue)
    assert (one.rung, other.rung) == (["local/b"], ["gpu2/c"])
    assert process.queues == ["local/a", "local/b", "gpu2/c"]


def test_messages_are_wanted_where_the_pump_wants_them_and_of_no_other_queue(process):
    pump = engine(process, "local", "local/a")
    assert process.wants("local/a")
    pump.wanted = False
    assert not process.wants("local/a")
    assert not process.wants("nobody/x")


def test_who_fetches_is_woken_up_and_a_fault_of_his_is_his_own(process):
    calls: list[int] = []
    process.hooks = Hooks(hungry=lambda: calls.append(1))
    process._hungry()
    assert calls == [1]

    def broken() -> None:
        raise RuntimeError("no hub yet")

    process.hooks.hungry = broken
    process._hungry()


# --- the loops ------------------------------------------------------------------------------------


@virtual_time
async def test_every_pump_runs_also_where_an_engine_is_called_as_the_readers_are(process):
    pumps = [engine(process, name, f"{name}/m") for name in ("local", "ingest", "gpu2")]
    process._reading = FakePump("ingest", "ingest")
    running = asyncio.create_task(process._run())
    await asyncio.sleep(60)
    assert [pump.runs for pump in (*pumps, process._reading)] == [1, 1, 1, 1]
    assert not running.done()
    assert not process.failed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not process.failed


@pytest.mark.parametrize(
    "broken",
    ["_leases", "_leadership", "_presence", "models", "_replays", "_bulks", "_rates", "pump"],
)
def test_any_loop_that_ends_ends_the_process_with_code_1(process, broken):
    async def ends() -> None:
        await asyncio.sleep(1)
        raise KeyError("a fault of ours")

    @virtual_time
    async def scene() -> None:
        told: list[int] = []
        process.hooks.broken = lambda: told.append(1)
        pump = engine(process, "local", "local/a")
        if broken == "pump":
            pump.run = ends  # type: ignore[method-assign]
        elif broken == "models":
            process._presence.watch_models = ends
        elif broken == "_replays":
            process._replays = ends
        else:
            getattr(process, broken).run = ends
        await process._run()
        assert (process.failed, told) == (True, [1])

    scene()


@virtual_time
async def test_a_loop_that_comes_to_its_end_is_no_better(process):
    process._presence.run = lambda: asyncio.sleep(1)
    await process._run()
    assert process.failed


# --- leaving --------------------------------------------------------------------------------------


@virtual_time
async def test_a_process_that_leaves_wants_nothing_more_and_drains_once(process):
    pump = engine(process, "local", "local/a")
    process._running = asyncio.create_task(process._run())
    await asyncio.sleep(1)
    await process._begin_drain()
    assert not process.wants("local/a")
    await process._begin_drain()
    await process._draining
    assert pump.drained == 1
    assert process._running.cancelled() or process._running.done()
    assert not process.failed
