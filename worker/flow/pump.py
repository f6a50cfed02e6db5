"""The pump: claims as slots come free, carries what it claimed through its stage.

One pump for each engine of a process, and one for the readers. It has a lane for each queue that it
serves. A message in a queue only says that there is something in it: from then on the pump claims
from it by itself, for as long as it finds anything. What is claimed is at most what the slots hold
plus a little ahead, so that pause, cancel and priority act at once.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID, uuid4

import psycopg

from models.words import Queue
from worker.db import Database, reason
from worker.flow.affinity import MAX_MODEL_WAIT_S, Waiting, choose
from worker.flow.leases import Leases
from worker.flow.loops import run_together
from worker.flow.slots import Slots
from worker.flow.solitude import Solitude
from worker.flow.stage import Access, Claimed, Held, Lease, StageWork
from worker.log import logger
from worker.settings import CONTROL_S, MICRO_BATCH

LAST_WRITES_S = 5.0
"""How long outcomes of cancelled work may take to be written at the end."""

JITTER_S = 3.0
"""By as much does the patience of workers differ, so that one of them changes its model first."""

REFUSALS = 2
"""How often less of an outcome is tried when Postgres refuses it."""

ABANDONED_S = 10.0
"""After which what a claim took, and could not make use of, is looked at again."""

AFTER_FAULT_S = 1.0
"""The pause after a claim that failed by a fault of our own."""


class Phase(Enum):
    """How far an item has come in the pump."""

    WAITING = auto()  # for leave to call, or a slot: it may still be given back
    ENGAGED = auto()  # it has had a slot
    LEAVING = auto()  # the engine is done with it; its outcome is looked at and written
    GIVEN_BACK = auto()


class Carried:
    """A held item on its way through the pump, and its way to a slot: entered, it has one.

    A slot is held for the engine's work alone. What comes before and after is done without one, so
    that the next prompt goes out before this answer is looked at.
    """

    __slots__ = ("held", "lane", "phase", "pump", "task")

    def __init__(self, held: Held, lane: "Lane", pump: "Pump") -> None:
        self.held, self.lane, self.pump = held, lane, pump
        self.phase = Phase.WAITING
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        await self.pump.enter(alone=self.held.alone)
        if not self.pump.leases.is_ours(self.held.lease):
            self.pump.leave(alone=self.held.alone)
            raise asyncio.CancelledError  # somebody else may have it by now
        self.phase = Phase.ENGAGED

    async def __aexit__(self, *_: object) -> None:
        self.pump.leave(alone=self.held.alone)


@dataclass(slots=True, eq=False)
class Lane:
    """A queue that this process serves."""

    queue: Queue
    work: StageWork
    access: Access | None = None
    """None: nothing but the slots stands in the way."""
    rung: bool = False
    """A message said that there is something in it, and it has not been found empty since."""
    heard_at: float = 0.0
    """When such a message came."""
    claimed_at: float = 0.0
    """When something was last taken from it: from then on the rest waits anew."""
    has_room: bool = True
    """Whether its engine may be given anything, as of the last look. Other threads may read it."""
    carried: set[Carried] = field(default_factory=set)


class Pump:
    """Moves the work of one engine's queues in this process."""

    def __init__(
        self,
        name: str,
        slots: Slots,
        leases: Leases,
        db: Database,
        *,
        loads_models: bool = False,
        solitude: Solitude | None = None,
        wanted: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.slots = slots
        self.solitude = solitude
        """None: no other process is at what is behind these slots."""
        self.leases = leases
        self._db = db
        self._loads_models = loads_models
        self._wanted = wanted
        """Called when a queue was found empty: messages of it are of use again."""
        self._lanes: dict[str, Lane] = {}
        self._in_hand = 0
        self._changed = asyncio.Event()
        self._stopping = False
        self._loaded: str | None = None
        self._patience_s = MAX_MODEL_WAIT_S + random.uniform(0, JITTER_S)  # noqa: S311 - jitter
        self._served: frozenset[str] = frozenset()
        self._claiming: asyncio.Task[None] | None = None

    def serve(self, lanes: Iterable[Lane]) -> None:
        """Serve these queues from now on; those that it serves already stay as they are."""
        for lane in lanes:
            self._lanes.setdefault(lane.queue.name, lane)

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """The queues that it serves, by name."""
        return self._lanes

    @property
    def in_use(self) -> int:
        """Slots that are taken."""
        return self.slots.in_use

    async def enter(self, *, alone: bool) -> None:
        """Take a slot; or all of them, in other processes too."""
        if alone and self.solitude is not None:
            await self.solitude.enter()
        else:
            await self.slots.enter(alone=alone)

    def leave(self, *, alone: bool) -> None:
        """Give back what `enter` took."""
        if alone and self.solitude is not None:
            self.solitude.leave()
        else:
            self.slots.leave(alone=alone)

    def ring(self, queue: str) -> None:
        """There is something in this queue."""
        lane = self._lanes.get(queue)
        if lane is not None and not lane.rung and not self._stopping:
            lane.rung, lane.heard_at = True, _now()
            self._changed.set()

    def wants(self, queue: str) -> bool:
        """Whether a message of this queue would say anything new. Any thread may ask."""
        lane = self._lanes.get(queue)
        return lane is not None and not lane.rung and not self._stopping and lane.has_room

    def look_again(self) -> None:
        """Something has changed that claiming depends on."""
        for lane in self._lanes.values():
            lane.has_room = self._room_in(lane) > 0
        self._changed.set()

    async def run(self) -> None:
        """Claim and obey, until cancelled."""
        await run_together(claims=self._claims(), control=self._control())

    # --- claiming -------------------------------------------------------------------------------

    async def _claims(self) -> None:
        while True:
            lane = None if self._stopping else self._next()
            if lane is None:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(CONTROL_S):
                        await self._changed.wait()
                continue
            most = min(self._room(), self._room_in(lane), MICRO_BATCH)
            claiming = self._claim(lane, most)
            self._claiming = asyncio.create_task(claiming, name=f"{self.name}: claim")
            await asyncio.shield(self._claiming)
            self._claiming = None

    def _next(self) -> Lane | None:
        """The lane to claim from now; None: nothing is worth a claim."""
        if not self._worth_a_claim():
            return None
        now = _now()
        waiting = [
            Waiting(
                name,
                lane.queue.model,
                now - max(lane.heard_at, lane.claimed_at),
                bool(lane.carried) or name in self._served,
                lane.claimed_at,
            )
            for name, lane in self._lanes.items()
            if lane.rung and self._room_in(lane) > 0
        ]
        chosen = choose(waiting, self._loaded if self._loads_models else None, self._patience_s)
        return self._lanes[chosen.queue] if chosen is not None else None

    def _worth_a_claim(self) -> bool:
        """Whether half of what may be held ahead is free: a claim for every slot that comes free
        would wear Postgres out. Before the slots are full everything is worth one."""
        room = self._room()
        return room >= max(1, min(self.slots.ahead // 2, MICRO_BATCH)) or (
            room > 0 and self._in_hand < self.slots.size
        )

    def _room(self) -> int:
        return self.slots.size + self.slots.ahead - self._in_hand

    def _room_in(self, lane: Lane) -> int:
        """How many more items of a lane its engine may be given now. What it has of the same model
        from another lane counts: the two are one to it."""
        if lane.access is None:
            return MICRO_BATCH
        model = lane.queue.model
        phases = Counter(one.phase for one in self._all() if one.lane.queue.model == model)
        allowed = lane.access.room(phases[Phase.WAITING], phases[Phase.ENGAGED])
        return MICRO_BATCH if allowed is None else allowed

    async def _claim(self, lane: Lane, most: int) -> None:
        now = _now()
        claimed = await self._claimed(lane, most)
        lane.claimed_at = now
        if claimed.taken == 0:
            lane.rung = False
            self._wanted()
        elif self._loaded != lane.queue.model:
            self._loaded = lane.queue.model
        self.leases.add((item.lease for item in claimed.held), now, self._lost)
        if self._stopping:
            await self._release(lane, claimed.held)
            return
        for item in claimed.held:
            self._carry(item, lane)

    async def _claimed(self, lane: Lane, most: int) -> Claimed:
        claim = uuid4()
        try:
            return await lane.work.claim(lane.queue, claim, most)
        except Exception:
            # A fault of ours, said aloud. What the claim may have taken is no worse for it.
            logger().exception("could not claim", queue=lane.queue.name)
            await self._abandon(claim)
            await asyncio.sleep(AFTER_FAULT_S)
            return Claimed(0)

    async def _abandon(self, claim: UUID) -> None:
        """Back in line, a while later: else it would lapse, and count as a worker lost under it."""
        params = {"claim": claim, "delay_s": ABANDONED_S}
        with suppress(psycopg.Error):  # then it lapses
            await self._db.run_once(
                [("calls/drop_claimed", {"claim": claim}), ("flow/abandon", params)]
            )

    def _carry(self, held: Held, lane: Lane) -> None:
        carried = Carried(held, lane, self)
        lane.carried.add(carried)
        self._in_hand += 1
        carried.task = asyncio.create_task(self._through(carried))
        carried.task.add_done_callback(lambda _: self._ended(carried))

    async def _through(self, carried: Carried) -> None:
        try:
            outcome = await carried.lane.work.work(carried.held, carried)
            if carried.phase is not Phase.GIVEN_BACK:
                self._leave(carried)
                await self._finish(carried, outcome)
        except asyncio.CancelledError:
            return  # before its first step: it was given back, or its lease runs out by itself
        except Exception:
            # Said aloud; the lease runs out, and what it is about comes round again.
            logger().exception("an outcome could not be written", lease=str(carried.held.lease))

    async def _finish(self, carried: Carried, outcome: object) -> None:
        """Write an outcome, or that it cannot be written: else it would be worked out, and paid,
        again and again."""
        work, refusals = carried.lane.work, 0
        while True:
            try:
                await work.finish(outcome)
                return
            except psycopg.errors.QueryCanceled:  # it took too long: no fault of the outcome
                await asyncio.sleep(AFTER_FAULT_S)
            except psycopg.Error as exc:
                if refusals == REFUSALS:
                    raise
                refusals += 1
                said = {"lease": str(carried.held.lease), "why": reason(exc)}
                logger().error("Postgres refuses an outcome", **said)
                outcome = work.refused(outcome, exc)

    def _leave(self, carried: Carried) -> None:
        """The engine is done with it: its place is free for the next."""
        if carried.phase in (Phase.WAITING, Phase.ENGAGED):
            carried.phase = Phase.LEAVING
            self._in_hand -= 1
            self._changed.set()

    def _ended(self, carried: Carried) -> None:
        """However its task ended, also if it was cancelled before its first step."""
        self._leave(carried)
        carried.lane.carried.discard(carried)
        self.leases.drop([carried.held.lease])

    # --- leases and control ---------------------------------------------------------------------

    def _lost(self, lease: Lease) -> None:
        """Somebody else has it, or may have: stop its call."""
        for carried in self._all():
            if carried.held.lease == lease and carried.task is not None:
                carried.task.cancel()

    def _all(self) -> list[Carried]:
        return [carried for lane in self._lanes.values() for carried in lane.carried]

    async def _control(self) -> None:
        while True:
            await asyncio.sleep(CONTROL_S)
            try:
                await self._obey()
            except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
                self._db.outage.begin(exc)
            self.look_again()

    async def _obey(self) -> None:
        """Give back what has not begun and stands in a line that was closed, and see which queues
        other workers are at."""
        lines = {one.held.line for one in self._all() if one.phase is Phase.WAITING}
        if lines:
            [rows] = await self._db.run_once([("flow/stopped", {"lines": list(lines)})])
            closed = {row["id"] for row in rows}
            await self._give_back(lambda one: one.held.line in closed)
        await self._make_room()
        if self._loads_models and sum(lane.rung for lane in self._lanes.values()) > 1:
            engines = list({lane.queue.engine for lane in self._lanes.values()})
            [rows] = await self._db.run_once([("flow/served", {"engines": engines})])
            self._served = frozenset(row["queue"] for row in rows)

    async def _make_room(self) -> None:
        """Jobs of a model that may not be asked for now hold no place that another's could have."""
        wanted = any(lane.rung and self._room_in(lane) > 0 for lane in self._lanes.values())
        if not wanted or self._worth_a_claim():
            return
        surplus: set[int] = set()
        for lane in self._lanes.values():
            waiting = [id(one) for one in lane.carried if one.phase is Phase.WAITING]
            surplus.update(waiting[: max(0, -self._room_in(lane))])
        await self._give_back(lambda one: id(one) in surplus)

    async def _give_back(self, which: Callable[[Carried], bool]) -> None:
        for lane in self._lanes.values():
            idle = [one for one in lane.carried if one.phase is Phase.WAITING and which(one)]
            for one in idle:
                self._leave(one)
                one.phase = Phase.GIVEN_BACK
                if one.task is not None:
                    one.task.cancel()
            await self._release(lane, [one.held for one in idle])

    async def _release(self, lane: Lane, held: Sequence[Held]) -> None:
        if held:
            self.leases.drop(item.lease for item in held)
            await lane.work.release(held)

    # --- the end --------------------------------------------------------------------------------

    async def drain(self, grace_s: float) -> None:
        """Stop claiming, let running work finish for up to grace_s, give the rest back."""
        self._stopping = True
        self._changed.set()
        deadline = _now() + grace_s
        if self._claiming is not None and not self._claiming.done():  # its leases are ours
            await asyncio.wait([self._claiming], timeout=grace_s)
        with suppress(TimeoutError):  # Postgres is away: the leases run out by themselves
            async with asyncio.timeout_at(deadline):
                await self._give_back(lambda _: True)
        await self._let_finish(deadline)

    async def _let_finish(self, deadline: float) -> None:
        running = [carried.task for carried in self._all() if carried.task]
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=max(0.0, deadline - _now()))
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=LAST_WRITES_S)


def _now() -> float:
    return asyncio.get_running_loop().time()
