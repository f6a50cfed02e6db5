"""What a process makes of the engines that it reaches: lanes, slots, limits and prices."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from models.config import Config
from models.words import INGEST, Queue, Stage
from tests.factories import OWNER, PRICED, a_config, a_deployment, the_frontier, usd
from tests.fakes import FakeDatabase, FakeJournal
from tests.stubs.fake import FakeEngine
from worker.calls.admission import Limited, Unlimited
from worker.configs import Configs
from worker.deployment import Deployment
from worker.flow.leases import Leases
from worker.llm.engine import Message, Request
from worker.persist import Persist
from worker.rates import RateBook
from worker.wiring import Service, Shared, make_pages, make_reading, page_calls, queue_of, queues_of


@pytest.fixture(autouse=True)
def somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")


class Rig:
    def __init__(self, config: Config | None = None) -> None:
        self.wanted = 0
        database: Any = FakeDatabase()
        self.shared = Shared(
            db=database,
            leases=Leases("postgresql://somewhere/x", OWNER),
            journal=FakeJournal(),  # type: ignore[arg-type]
            persist=Persist(database, FakeJournal(), OWNER),  # type: ignore[arg-type]
            configs=Configs(database, 1, config or a_config()),
            owner=OWNER,
            wanted=self._want,
            rates=RateBook(),
        )

    def _want(self) -> None:
        self.wanted += 1

    def service(
        self,
        deployment: Deployment | None = None,
        slots: int | None = None,
        models: frozenset[str] = frozenset(),
    ) -> Service:
        return Service(deployment or a_deployment(), self.shared, slots, models)


def lanes(service: Service, config: Config) -> set[str]:
    service.serve(queues_of(config))
    return set(service.pump.lanes)


SEVERAL = a_config(
    engines={"gpu2": {"zone": "local", "kind": "ollama", "url": "http://gpu2:11434"}},
    tasks={
        "extraction": {"escalate": ["gpu2/large", "frontier/big"]},
        "summary": {"model": "big"},
        "reasoning": {"model": "big"},
    },
    languages={"hi": {"model": "gemma3:4b"}},
)


def test_the_queues_of_a_configuration_are_its_places_and_its_classifier():
    assert {queue.name for queue in queues_of(SEVERAL)} == {
        "local/phi4-mini",
        "local/gemma3:4b",
        "gpu2/large",
        "frontier/big",
        "classify:local/phi4-mini",
    }


@pytest.mark.parametrize(
    ("deployment", "served"),
    [
        (a_deployment(), {"local/phi4-mini", "local/gemma3:4b", "classify:local/phi4-mini"}),
        (a_deployment("gpu2"), {"gpu2/large"}),
        (the_frontier(), {"frontier/big"}),
        (a_deployment("gpu3"), set()),
    ],
)
async def test_an_engine_serves_its_own_queues_and_no_others(deployment, served):
    assert lanes(Rig().service(deployment), SEVERAL) == served


async def test_a_process_that_keeps_to_some_models_serves_those_alone():
    service = Rig().service(models=frozenset({"gemma3:4b"}))
    assert lanes(service, SEVERAL) == {"local/gemma3:4b"}


async def test_what_an_older_batch_waits_in_is_served_beside_it():
    service = Rig().service()
    row = {"stage": "run", "engine": "local", "model": "older"}
    service.serve([*queues_of(a_config()), queue_of(row)])
    assert "local/older" in service.pump.lanes
    service.serve(queues_of(SEVERAL))
    assert {"local/older", "local/gemma3:4b"} <= set(service.pump.lanes)


async def test_each_lane_has_the_work_of_its_stage_and_the_gate_of_its_model():
    service = Rig().service()
    service.serve(queues_of(SEVERAL))
    found = service.pump.lanes
    run, classify = found["local/phi4-mini"], found["classify:local/phi4-mini"]
    assert type(run.work).__name__ == "RunStage"
    assert type(classify.work).__name__ == "ClassifyStage"
    assert (run.access.model, run.access.access) == ("phi4-mini", service.access)


@pytest.mark.parametrize(
    ("deployment", "given", "slots"),
    [
        (a_deployment(slots=6), None, 6),
        (a_deployment(slots=6), 2, 2),
        (a_deployment(slots=6, max_in_flight=3), None, 6),
        (the_frontier(max_in_flight=32), None, 32),
        (the_frontier(), None, 4),
        (the_frontier(max_in_flight=32), 5, 5),
    ],
)
async def test_how_many_requests_a_process_has_in_flight(deployment, given, slots):
    assert Rig().service(deployment, given).pump.slots.size == slots


@pytest.mark.parametrize(
    ("deployment", "given", "first", "most"),
    [
        (a_deployment(slots="auto"), None, 4, 64),
        (a_deployment(slots="auto", max_slots=3), None, 3, 3),
        (a_deployment(slots="auto"), 7, 7, None),
        (the_frontier(slots="auto", max_in_flight=32), None, 4, 32),
        (the_frontier(slots="auto", max_in_flight=32, max_slots=8), None, 4, 8),
        (a_deployment(slots="auto", max_in_flight=3), None, 4, 64),
    ],
)
async def test_within_what_a_number_finds_itself(deployment, given, first, most):
    slots = Rig().service(deployment, given).pump.slots
    assert (slots.size, slots.most) == (first, most)


async def test_every_call_tells_the_slots_how_it_ended_and_costs_its_share_of_the_machine():
    service = Rig().service(a_deployment(slots="auto", usd_per_hour="3600"))
    request = Request("fake", (Message("user", "text"),), 10, 100)
    completion = replace(await FakeEngine().complete(request), engine_seconds=60.0)
    costs = {}

    async def ask() -> None:
        async with service.slots:
            await service.access.complete(request)
            row = service.access.ledger.settled(OWNER, request, OWNER, completion)
            costs[service.slots.size] = row.cost_usd

    await asyncio.gather(*(ask() for _ in range(200)))
    assert len(costs) > 1
    assert costs == {size: pytest.approx(usd("60") / size) for size in costs}


@pytest.mark.parametrize(
    ("deployment", "kind"),
    [
        (a_deployment(), Unlimited),
        (the_frontier(), Limited),
        (the_frontier(kind="embedded"), Unlimited),
        (a_deployment("gpu2", kind="openai", base_url="http://gpu2"), Unlimited),
    ],
)
async def test_what_is_not_ones_own_has_a_limit_that_all_processes_share(deployment, kind):
    service = Rig().service(deployment)
    assert type(service.access.admission) is kind
    await service.access.close()


@pytest.mark.parametrize(
    ("deployment", "loads"),
    [(a_deployment(), True), (a_deployment(kind="openai", base_url="http://vllm"), False)],
)
async def test_an_engine_that_loads_its_models_keeps_to_one(deployment, loads):
    assert Rig().service(deployment).pump._loads_models is loads


async def test_a_gate_that_opens_is_told_to_the_pump_and_to_who_fetches():
    rig = Rig()
    service = rig.service()
    service.serve(queues_of(a_config()))
    service.access.gate("phi4-mini").absent("lacks it")
    service.pump.look_again()
    assert not service.pump.wants("local/phi4-mini")
    service.access.gate("phi4-mini").present()
    assert service.pump.wants("local/phi4-mini")
    assert rig.wanted == 1


async def test_a_new_configuration_prices_calls_without_a_restart():
    service = Rig().service(the_frontier())
    assert service.access.ledger.price("big") is None
    service.go_by(a_config(prices=PRICED, limits={"usd_per_day": "25"}))
    assert service.access.ledger.price("big").input_per_mtok == 3
    assert service.access.reserve.usd_per_day == 25
    await service.access.close()


async def test_readers_serve_the_queue_of_documents():
    pump = make_reading(Rig().shared, None, 2)  # type: ignore[arg-type]
    assert (set(pump.lanes), pump.slots.size) == ({INGEST.name}, 2)
    assert queue_of({"stage": "ingest", "engine": "", "model": ""}) == Queue(Stage.INGEST)


SHOWN = a_config(reading={"ocr": "local/see", "slots": 3})


async def test_pages_take_the_slots_of_an_engine_that_the_same_process_serves():
    rig = Rig(SHOWN)
    service = rig.service(a_deployment(slots=6))
    calls = page_calls(service.access.deployment, service, rig.shared)
    assert (calls.access, calls.slots) == (service.access, service.pump.slots)
    pages = make_pages(calls, rig.shared, 2)
    assert (pages.by, pages.at_once) == ("local/see", 6)
    pages.close()


async def test_elsewhere_they_have_slots_of_their_own_however_many_documents_are_read():
    rig = Rig(SHOWN)
    calls = page_calls(a_deployment(slots=6), None, rig.shared)
    pages = make_pages(calls, rig.shared, 8)
    assert pages.at_once == 3
    pages.close()
