"""What a worker process is made of: its engines, each with a pump and the stages that it serves."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from models.config import Config
from models.queue import redis_url
from models.words import INGEST, Queue, Stage, Zone
from worker.bulk.advance import BulkEngine, Bulks
from worker.bulk.gather import Gathering
from worker.calls.access import EngineAccess, ModelAccess
from worker.calls.admission import Admission, Limited, Unlimited
from worker.calls.grant import EngineLimits, Timing
from worker.calls.journal import Journal
from worker.calls.ledger import Ledger
from worker.calls.limits import Limiter
from worker.calls.pages import PageCalls
from worker.calls.prices import PriceBook
from worker.calls.reservations import Reservations
from worker.calls.traits import KnownTraits
from worker.classify.stage import ClassifyStage
from worker.configs import Configs
from worker.db import Database, Row
from worker.deployment import Deployment
from worker.flow.leases import Leases
from worker.flow.pump import Lane, Pump
from worker.flow.slots import AutoSlots, ReaderSlots, Slots
from worker.flow.solitude import Solitude
from worker.flow.stage import StageWork
from worker.ingest.stage import IngestStage
from worker.ingest.transcribe import ModelPages
from worker.persist import Persist
from worker.rates import RateBook
from worker.read.scans import DocumentReader, ocr_pages, page_processes
from worker.route import classifier, frontier_model, places
from worker.run.claims import JobClaims
from worker.run.stage import RunStage

READERS = 2
"""Documents read at once; each has a child process."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What everything in one process shares."""

    db: Database
    leases: Leases
    journal: Journal
    persist: Persist
    configs: Configs
    owner: UUID
    wanted: Callable[[], None]
    """Called when messages are of use again."""
    rates: RateBook


class Service:
    """One engine in this process: how it is reached, and what moves its work."""

    def __init__(
        self, deployment: Deployment, shared: Shared, slots: int | None, models: frozenset[str]
    ) -> None:
        self._shared = shared
        self._models = models
        """The models that this process keeps to; empty: all that the engine has."""
        self.slots = _slots(deployment, slots)
        self.access = make_access(deployment, shared, self.slots, self._changed)
        self.pump = Pump(
            deployment.name,
            self.slots,
            shared.leases,
            shared.db,
            loads_models=deployment.kind.loads_models,
            solitude=None if deployment.limited else Solitude(self.slots, shared.owner),
            wanted=shared.wanted,
        )
        claims = JobClaims(shared.db, self.access, shared.configs, shared.owner)
        self._run = RunStage(self.access, claims, shared.persist.finish)
        self._classify = ClassifyStage(shared.db, self.access, shared.configs, shared.owner)

    def _changed(self) -> None:
        self.pump.look_again()
        self._shared.wanted()

    def serve(self, queues: Iterable[Queue]) -> None:
        """Serve those of these queues that are this engine's."""
        name = self.access.deployment.name
        mine = (queue for queue in queues if queue.engine == name)
        self.pump.serve(
            Lane(queue, self._work(queue.stage), ModelAccess(self.access, queue.model))
            for queue in mine
            if not self._models or queue.model in self._models
        )

    def go_by(self, config: Config) -> None:
        """Price calls by this configuration from now on, and keep to its budget of the day. What an
        engine allows is read once, when the process starts."""
        self.access.ledger = _ledger(self.access.deployment, config, self.slots)
        self.access.reserve.usd_per_day = config.limits.usd_per_day

    async def close(self) -> None:
        """Let go of the engine."""
        if self.pump.solitude is not None:
            self.pump.solitude.close()
        await self.access.close()

    def _work(self, stage: Stage) -> StageWork:
        return self._classify if stage is Stage.CLASSIFY else self._run


def _slots(deployment: Deployment, given: int | None) -> Slots:
    config = deployment.config
    if given is not None:
        return Slots(given)
    allowed = config.max_in_flight if deployment.zone is Zone.FRONTIER else None
    if not isinstance(config.slots, int):
        return AutoSlots(min(config.max_slots, allowed or config.max_slots))
    return Slots(allowed or config.slots)


def make_access(
    deployment: Deployment, shared: Shared, slots: Slots, changed: Callable[[], None]
) -> EngineAccess:
    """An engine with everything that calls to it take."""
    config = shared.configs.current
    return EngineAccess(
        deployment=deployment,
        engine=deployment.make(),
        journal=shared.journal,
        ledger=_ledger(deployment, config, slots),
        reserve=Reservations(shared.db, shared.owner, deployment, config.limits.usd_per_day),
        admission=_admission(deployment),
        known_traits=KnownTraits(shared.db),
        rates=shared.rates,
        changed=changed,
        ended=slots.ended,
    )


def _ledger(deployment: Deployment, config: Config, slots: Slots) -> Ledger:
    return Ledger(deployment, PriceBook(config), frontier_model(config), lambda: slots.size)


def _admission(deployment: Deployment) -> Admission:
    """The shared rate limit of an engine that is not one's own."""
    if not deployment.limited:
        return Unlimited()
    limits, timing = EngineLimits.of(deployment.config), Timing.over(deployment.config.window_s)
    name = f"{deployment.name}@{deployment.host}"
    return Limited(Limiter(redis_url(), name, limits, timing))


def queues_of(config: Config) -> set[Queue]:
    """The queues that a configuration sends work to."""
    return {place.queue for place in places(config)} | {classifier(config)}


def queue_of(row: Row) -> Queue:
    """The queue that a row of lines names."""
    return Queue(Stage(row["stage"]), row["engine"], row["model"])


def make_bulks(shared: Shared, services: Iterable[Service]) -> Bulks:
    """What moves the batches of providers on."""
    engines, lacking = {}, {}
    for access in (service.access for service in services):
        name = access.deployment.name
        if access.deployment.zone is Zone.LOCAL:  # none of its jobs waits for a bulk
            continue
        if access.deployment.make_batches is None:
            lacking[name] = access
            continue
        api = access.deployment.make_batches()
        gathering = Gathering(shared.db, access, shared.configs, shared.owner, api.bounds)
        engines[name] = BulkEngine(access, api, gathering)
    return Bulks(shared.db, shared.owner, engines, lacking)


def page_calls(deployment: Deployment, beside: Service | None, shared: Shared) -> PageCalls:
    """Calls that show pages to an engine. Where this process serves it, too, they take its slots;
    else they have slots of their own, for nobody knows here which of the engine's are free."""
    if beside is not None:
        return PageCalls(beside.access, beside.slots, shared.db, shared.owner)
    slots = Slots(shared.configs.current.reading.slots)
    access = make_access(deployment, shared, slots, lambda: None)
    return PageCalls(access, slots, shared.db, shared.owner)


def make_pages(calls: PageCalls, shared: Shared, readers: int) -> ModelPages:
    """What shows pages to the model that docmill.toml names."""
    config = shared.configs.current
    seen_by = config.reading.seen_by
    assert seen_by is not None
    return ModelPages(
        seen_by.model,
        calls,
        page_processes(config, readers),
        config.limits,
        ocr_pages(config, readers),
    )


def make_reading(shared: Shared, reader: DocumentReader, readers: int) -> Pump:
    """What reads documents."""
    slots = ReaderSlots(readers)
    pump = Pump("ingest", slots, shared.leases, shared.db, wanted=shared.wanted)
    stage = IngestStage(shared.db, reader, shared.configs, shared.owner, shared.rates, slots)
    pump.serve([Lane(INGEST, stage)])
    return pump
