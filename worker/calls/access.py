"""One engine as this process uses it: its client, its gates, its limits and its ledger."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import redis

from models.words import Zone
from worker.calls.admission import Admission
from worker.calls.journal import Journal
from worker.calls.ledger import Ledger
from worker.calls.prepare import prepared
from worker.calls.reservations import Reservations
from worker.calls.traits import KnownTraits, key_of
from worker.deployment import Deployment
from worker.flow.adapt import Ended
from worker.llm.engine import (
    Completion,
    Concern,
    Engine,
    EngineError,
    Health,
    Request,
    Trouble,
)
from worker.llm.gate import Closed, Gate
from worker.llm.probe import Traits, probe, told
from worker.outage import Outage
from worker.rates import RateBook

UNSEEN = Health(ok=False, detail="not looked at yet")


@dataclass(slots=True)
class EngineAccess:
    """What every conversation with one engine shares."""

    deployment: Deployment
    engine: Engine
    journal: Journal
    ledger: Ledger
    reserve: Reservations
    admission: Admission
    known_traits: KnownTraits | None = None
    """None: models are taken to do what they are told."""
    rates: RateBook = field(default_factory=RateBook)
    """What its models make of texts."""
    changed: Callable[[], None] = lambda: None
    """Called when a gate opens."""
    ended: Callable[[Ended], None] = lambda _: None
    """Called with every call that ended."""
    seen: Health = UNSEEN
    """What the engine said when it last answered a look."""
    _gates: dict[str, Gate] = field(default_factory=dict)
    _pauses: Mapping[str, Closed] = field(default_factory=dict)
    _outages: dict[str, Outage] = field(default_factory=dict)
    _under_way: int = 0
    """Calls that its engine is at, or was until they were cut off."""
    _cut: int = 0
    """Those of them that were cut off and are being looked at."""
    _look: asyncio.Task[bool] = field(init=False, repr=False)
    """The look at them: whether the engine went down."""

    def gate(self, model: str) -> Gate:
        """The gate of one of its models; of the engine as a whole, where `model` is empty."""
        if model not in self._gates:
            self._gates[model] = Gate(
                self._name(model),
                model,
                self.engine.health,
                limited=self.deployment.limited,
                changed=self.changed,
            )
            self._compare(model)
        return self._gates[model]

    def _compare(self, model: str) -> None:
        """A model that an engine of one's own lacks is not asked for. A gateway's list is no
        promise: what it lacks it says when it is asked."""
        if self.deployment.limited or self.seen.offers(model):
            self._gates[model].present()
        else:
            self._gates[model].absent(self._lacks(model))

    def answerer(self, model: str) -> str:
        """Whoever is asked under one name and has the same answerer gives the same answers. A
        gateway's models are its own; local hosts with the same weights answer for each other."""
        engine, host = self.deployment.config, self.deployment.host
        at = f"@{host}" if self.deployment.zone is Zone.FRONTIER else ""
        how = f"{engine.context_tokens}/{engine.short_answers}/{self.seen.digest(model)}"
        return f"{engine.kind}{at}/{how}{engine.weighing(model)}"

    def _name(self, model: str) -> str:
        name = f"engine {self.deployment.name} at {self.deployment.host}"
        return f"{name} ({model})" if model else name

    def room(self, model: str, waiting: int, engaged: int) -> int | None:
        """How many more jobs of this model may be claimed; None: as many as there are slots."""
        rooms = [self.gate(name).room(waiting, engaged) for name in ("", model)]
        if (ahead := self.admission.ahead(model)) is not None:
            rooms.append(_left(ahead, waiting))
        known = [room for room in rooms if room is not None]
        return min(known) if known else None

    async def complete(self, request: Request) -> Completion:
        """Ask the engine. Raises EngineError; DIED where an engine of one's own went down in the
        middle of the call."""
        now = asyncio.get_running_loop().time
        began = now()
        self._under_way += 1
        try:
            completion = await self.engine.complete(request)
        except EngineError as error:
            self.ended(Ended(began, now(), trouble=error.trouble))
            if not error.cut or self.deployment.limited:
                raise
            raise await self._examined(request.model_name, error) from error
        finally:
            self._under_way -= 1
        self.ended(Ended(began, now(), completion.usage.output_tokens))
        return completion

    async def _examined(self, model: str, error: EngineError) -> EngineError:
        """A call that was cut off: the engine went down, or it was the way there. Calls that are
        cut off together are looked at together."""
        if self._cut == 0:
            self._look = asyncio.create_task(self._went_down(model))
        self._cut += 1
        try:
            went_down = await asyncio.shield(self._look)
        finally:
            self._cut -= 1
        if not went_down:
            return error
        return EngineError(Trouble.DIED, f"{error}; it went down", maybe_billed=True)

    async def _went_down(self, model: str) -> bool:
        """Nobody is there any more. Whoever is back by now, as under a supervisor, has cut off
        every call that it was at; one in trouble does that too, but has not been well."""
        health = await self.engine.health()
        cut_all = 1 < self._cut == self._under_way
        return health.trouble is Trouble.UNAVAILABLE or (cut_all and self.healthy(model))

    async def traits(self, model: str) -> Traits:
        """What an engine of one's own does with a model, where it says which version and which
        weights that are; else what it tells, unless its kind always says them: then it is another
        server that speaks as it does. What a gateway does is learnt from its refusals, what the
        embedded one does is known. Raises EngineError."""
        deployment = self.deployment
        if self.known_traits is None or deployment.limited or not deployment.kind.is_probed:
            return Traits()
        if not self.seen.ok:
            self.seen = await self.engine.health()
        key = key_of(deployment.config.kind, self.seen, model)
        if key is None and self.seen.ok and deployment.kind.names_weights:
            return Traits()
        if key is None:
            return await self.known_traits.of(model, lambda: self._told(model), lasting=False)
        window = deployment.config.context_tokens
        return await self.known_traits.of(key, lambda: probe(self.engine, model, window))

    async def _told(self, model: str) -> Traits:
        """A free look at a model. One that breaks off is no reason to ask it nothing: how a call
        goes shows better whether its engine is well. Raises EngineError where nobody is there."""
        try:
            return await told(self.engine, model)
        except EngineError as error:
            if error.trouble is not Trouble.SERVER_ERROR:
                raise
            return Traits()

    async def prepared(self, request: Request) -> Request:
        """A request as its model is to be asked it. Raises EngineError."""
        return prepared(request, await self.traits(request.model_name))

    def answered(self, model: str) -> None:
        """A call of this model was answered."""
        self.gate("").success()
        self.gate(model).success()

    def read(self, request: Request, completion: Completion) -> None:
        """The engine may have said how many tokens it read."""
        tokens = completion.usage.input_tokens
        self.rates.learn(request.model_name, _contents(request), tokens)

    def too_long(self, request: Request) -> None:
        """The engine found a prompt too long for its window."""
        room = request.context_tokens - request.max_tokens
        self.rates.too_long(request.model_name, _contents(request), room)

    def trouble(self, model: str, error: EngineError) -> bool:
        """A call of this model failed. True when that is its prompt's own fault."""
        own = self.gate(model).trouble(error)
        if error.concern is Concern.ENGINE:
            self.gate("").trouble(error)
        return own

    def healthy(self, model: str) -> bool:
        """Whether most recent calls of this model went well."""
        return self.gate(model).healthy

    async def look(self) -> None:
        """Ask an engine of one's own which models it has, and shut or open their gates; of a
        gateway look up what all processes keep back."""
        if self.deployment.limited:
            with suppress(redis.RedisError, OSError):
                self._tell(await self.admission.pauses())
            return
        health = await self.engine.health()
        if not health.ok:
            self._does_not_answer(health.detail)
            return
        self.seen = health
        for model in self._gates:
            self._compare(model)

    def _does_not_answer(self, detail: str) -> None:
        """Whoever comes first need not find that out. An engine that is at work and was slow to
        answer a look is none of these."""
        gate = self.gate("")
        if gate.shut is None and not gate.healthy:
            gate.trouble(EngineError(Trouble.UNAVAILABLE, detail))

    def _tell(self, pauses: Mapping[str, Closed]) -> None:
        """Note what all processes keep back, and say it once where one begins or ends."""
        for model, closed in pauses.items():
            self._outages.setdefault(model, Outage(self._name(model))).begin(closed.message)
        for model in self._outages.keys() - pauses.keys():
            self._outages[model].end()
        self._pauses = pauses

    def _lacks(self, model: str) -> str:
        mend = self.deployment.kind.mend_missing.format(model=model)
        where = f"the {self.deployment.config.kind} at {self.deployment.host}"
        return f"{where} does not serve {model}: {mend}"

    def shut(self) -> Iterator[tuple[str, Closed]]:
        """What is not asked at present, and why: models, or the empty name for the engine."""
        gates = {name: gate.shut for name, gate in self._gates.items() if gate.shut is not None}
        yield from {**self._pauses, **gates}.items()

    async def lift(self, model: str) -> None:
        """Somebody says that it has been mended: try at once."""
        for name, gate in self._gates.items():
            if model in ("", name):
                gate.lift()
        with suppress(redis.RedisError, OSError):
            await self.admission.lift(model)

    async def close(self) -> None:
        """Let go of everything."""
        for gate in self._gates.values():
            await gate.close()
        await self.admission.close()
        await self.engine.close()


def _contents(request: Request) -> list[str]:
    return [message.content for message in request.messages]


def _left(ahead: int, waiting: int) -> int:
    """How much of what may wait is worth a claim: half of it at least, for claims wear Postgres
    out; below 0: so many wait too many."""
    left = ahead - waiting
    return left if left <= 0 or 2 * left >= ahead else 0


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """One model of an engine, as the pump asks for it."""

    access: EngineAccess
    model: str

    def room(self, waiting: int, engaged: int) -> int | None:
        """How many more jobs may be claimed for it now."""
        return self.access.room(self.model, waiting, engaged)

    def is_meant(self, engine: str, model: str) -> bool:
        """Whether it is that model, or one of an engine that is named as a whole."""
        return engine == self.access.deployment.name and model in ("", self.model)
