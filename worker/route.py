"""THE rule: which engine and model answer a job, and who is asked next when that is not enough.

A pure function of everything that is known of a job and of its batch's configuration. It is asked
for every job, whoever found its task type; a new rule is an edit of this file and of its test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from models.config import Config
from models.engines import DEFAULT_FRONTIER_MODEL, FRONTIER
from models.words import Finder, Queue, Scope, Stage, TaskType, Zone


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a job before it runs."""

    task: TaskType
    found_by: Finder = Finder.USER
    confidence: float | None = None
    """Of the verdict on its task type, 0 to 1; None: nobody said."""
    language: str | None = None
    """ISO 639-1 of its text; None: unknown."""
    tokens: int = 0
    """Of its text, as estimated."""
    scope: Scope = Scope.CHUNK
    local_only: bool = False
    """The batch's policy."""
    pinned: bool = False
    """Its text holds private data."""
    allow_provider_batch: bool = False
    """The batch's policy: a provider may be handed in its texts, and keep them for a while."""
    place: str | None = None
    """ENGINE/MODEL that its ask names, which alone answers it; None: the configuration says."""

    @property
    def stays(self) -> bool:
        """Whether its text may not leave the building."""
        return self.local_only or self.pinned

    def in_doubt(self, config: Config) -> bool:
        """Whether its task type is more likely wrong than right. What the user or the
        configuration said is never in doubt, nor is what has one place whatever it is."""
        found = self.place is None and self.found_by in (
            Finder.RULE,
            Finder.LEARNED,
            Finder.MODEL,
        )
        return found and self.confidence is not None and self.confidence < config.classifier.doubt


@dataclass(frozen=True, slots=True)
class Place:
    """An engine and a model of it."""

    zone: Zone
    engine: str
    model: str

    @property
    def queue(self) -> Queue:
        """The queue of jobs that run there."""
        return Queue(Stage.RUN, self.engine, self.model)

    def __str__(self) -> str:
        return f"{self.engine}/{self.model}"


@dataclass(frozen=True, slots=True)
class Route:
    """Whom to ask, in order: the next one where an answer was not good enough."""

    places: tuple[Place, ...]
    reason: str | None = None
    """Why it begins elsewhere than its task does; None: it does not."""
    bulk: bool = False
    """Whether its first call goes into a batch of its engine's provider."""

    @property
    def first(self) -> Place:
        """Where the job runs."""
        return self.places[0]

    def after(self, step: int) -> Iterator[tuple[int, Place]]:
        """Where it goes from there, counted from 0: the steps and places that are left."""
        return islice(enumerate(self.places), step + 1, None)


def route(facts: Facts, config: Config) -> Route:
    """Where a job runs. Text that stays in the building never gets a place in another zone."""
    chain = (place for place in _chain(facts, config) if not _leaves(facts, place))
    places = tuple(dict.fromkeys(chain)) or (_local(facts, config),)
    safer = _safer(config) if facts.in_doubt(config) and not facts.stays else None
    if safer is None or places[0].zone is Zone.FRONTIER:
        return Route(places, bulk=_waits(facts, places[0], config))
    onward = (place for place in places[1:] if place != safer)
    reason = f"not sure what it is: {facts.task} at {facts.confidence:.2f}"
    return Route((safer, *onward), reason, _waits(facts, safer, config))


def _waits(facts: Facts, place: Place, config: Config) -> bool:
    """Whether a job may wait for a batch of the provider, and there is such a thing."""
    offered = config.engines[place.engine].provider_batch is not None
    return facts.allow_provider_batch and offered and place.zone is Zone.FRONTIER


def _safer(config: Config) -> Place | None:
    """Where a job whose task type is in doubt is answered well whatever it is: where reasoning
    goes, else any task that leaves the building. None: nothing does."""
    for task in (TaskType.REASONING, TaskType.SUMMARY, *TaskType):
        chosen = config.task(task)
        if config.engines[chosen.engine].zone is Zone.FRONTIER:
            return Place(Zone.FRONTIER, chosen.engine, chosen.model)
    return None


def _leaves(facts: Facts, place: Place) -> bool:
    return facts.stays and place.zone is not Zone.LOCAL


def _chain(facts: Facts, config: Config) -> Iterator[Place]:
    """The place that its ask names, or the task's engine and model and those that it escalates
    to. An engine that has gone since, with another configuration, is no place."""
    if facts.place is not None and facts.place.partition("/")[0] in config.engines:
        yield _named(facts.place, facts, config)
        return
    chosen = config.task(facts.task)
    zone = config.engines[chosen.engine].zone
    if zone is Zone.LOCAL or facts.stays:
        yield _local(facts, config)
    else:
        yield Place(zone, chosen.engine, chosen.model)
    for name in chosen.escalate:
        yield _named(name, facts, config)


def _local(facts: Facts, config: Config) -> Place:
    """The local place of a task: the language's model, else the task's own.

    Frontier models read every language. A task that the config sends to the frontier names no
    local model: kept in the building it gets the one that reasons best of those configured, which
    is the extraction's, or else the classifier's.
    """
    if facts.language in config.languages:
        spoken = config.languages[facts.language]
        return Place(Zone.LOCAL, spoken.engine, spoken.model)
    for task in (facts.task, TaskType.EXTRACTION):
        chosen = config.task(task)
        if config.engines[chosen.engine].zone is Zone.LOCAL:
            return Place(Zone.LOCAL, chosen.engine, chosen.model)
    return Place(Zone.LOCAL, config.classifier.engine, config.classifier.model)


def _named(name: str, facts: Facts, config: Config) -> Place:
    """ENGINE/MODEL, or ENGINE with the model that it has for such a task."""
    engine, _, model = name.partition("/")
    zone = config.engines[engine].zone
    if model:
        return Place(zone, engine, model)
    if engine == FRONTIER:
        return Place(zone, engine, frontier_model(config))
    home, own = _local(facts, config), config.engines[engine].model
    if home.engine == engine or own is None:
        return home
    return Place(zone, engine, own)


def frontier_model(config: Config) -> str:
    """The model that stands for the frontier: jobs escalate to it, savings compare to it. Never a
    stand-in's: that is compared to the model in whose place it answers."""
    for task in (TaskType.REASONING, TaskType.SUMMARY, *TaskType):
        chosen = config.task(task)
        engine = config.engines[chosen.engine]
        if engine.zone is Zone.FRONTIER and not engine.stand_in:
            return chosen.model
    return config.engines[FRONTIER].model or DEFAULT_FRONTIER_MODEL


def places(config: Config) -> frozenset[Place]:
    """Every place that some job of this configuration may be sent to."""
    facts = (
        Facts(task, language=language, local_only=stays)
        for task in TaskType
        for language in (None, *config.languages)
        for stays in (False, True)
    )
    return frozenset(place for one in facts for place in route(one, config).places)


def classifier(config: Config) -> Queue:
    """The queue of what has yet to be classified."""
    return Queue(Stage.CLASSIFY, config.classifier.engine, config.classifier.model)
