"""The pump: hints come in, leases are claimed as slots come free, outcomes are made durable.

One pump per stage and process. A Celery task hands its ids to `take` and is done; no more messages
are fetched while there are `hints` enough. What is claimed is at most what the slots hold plus a
little ahead; everything else stays a hint, so that pause, cancel and priority act at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice

import psycopg

from worker.db import Database
from worker.flow.slots import Slots
from worker.flow.stage import Held, Lease, Stage
from worker.log import logger
from worker.settings import CONTROL_S, LEASE_S, MICRO_BATCH, RENEW_S

LAST_WRITES_S = 5.0
"""How long outcomes of cancelled work may take to be written at the end."""


class _Carried:
    """A held item on its way through the pump, and its way to a slot: entered, it has one.

    A slot is held for the engine's work alone. What comes before and after is done without one, so
    that the next prompt goes out before this answer is looked at.
    """

    __slots__ = ("_pump", "begun", "given_back", "held", "in_hand", "task")

    def __init__(self, held: Held, pump: "Pump") -> None:
        self._pump = pump
        self.held = held
        self.begun = False
        self.given_back = False
        self.in_hand = True
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        await self._pump.slots.acquire()
        if self._pump.lease_age() >= LEASE_S:  # this process was stopped, or Postgres is away
            self._pump.slots.release()
            raise asyncio.CancelledError  # somebody else may have it by now
        self.begun = True

    async def __aexit__(self, *_: object) -> None:
        self._pump.slots.release()


class Pump:
    """Moves one stage's work in this process."""

    def __init__(
        self, stage: Stage, slots: Slots, db: Database, used: Callable[[], None] = lambda: None
    ) -> None:
        self.stage = stage
        self.slots = slots
        self._db = db
        self._used = used
        """Called when there are fewer hints than before."""
        self._hints: deque[int] = deque()
        self._here: set[int] = set()
        """Hints, and what was claimed of them: a second message that names them adds nothing."""
        self._carried: dict[int, _Carried] = {}
        self._in_hand = 0
        self._changed = asyncio.Event()
        self._stopping = False
        self._renewed_at = 0.0
        self._claiming: asyncio.Task[None] | None = None
        self._loops: list[asyncio.Task[None]] = []

    @property
    def most_in_hand(self) -> int:
        """How much is claimed at once: what the slots hold, and a little ahead."""
        return self.slots.size + self._ahead

    @property
    def _ahead(self) -> int:
        return 0 if self.stage.limited else self.slots.ahead

    def start(self) -> None:
        """Begin to claim and to renew."""
        self._loops = [
            asyncio.create_task(self._claim_loop(), name=f"{self.stage.name} claims"),
            asyncio.create_task(self._lease_loop(), name=f"{self.stage.name} leases"),
        ]

    @property
    def hints(self) -> int:
        """How many ids wait here to be claimed. Any thread may ask."""
        return len(self._hints)

    def take(self, ids: Iterable[int]) -> None:
        """Work on these ids, if there is anything to do for them."""
        if self._stopping:
            return
        for hint in ids:
            if hint not in self._here:
                self._here.add(hint)
                self._hints.append(hint)
        self._changed.set()

    async def drain(self, grace_s: float) -> None:
        """Stop claiming, let running work finish for up to grace_s, give the rest back."""
        self._stopping = True
        deadline = asyncio.get_running_loop().time() + grace_s
        claims, leases = self._loops or (None, None)
        if claims is not None:
            claims.cancel()
        if self._claiming is not None and not self._claiming.done():  # its leases are ours
            await asyncio.wait([self._claiming], timeout=grace_s)
        self._drop_hints()
        with suppress(TimeoutError):  # Postgres is away: the leases run out by themselves
            async with asyncio.timeout_at(deadline):
                await self._give_back(lambda carried: True)
        await self._let_finish(deadline)
        if leases is not None:
            leases.cancel()

    async def _let_finish(self, deadline: float) -> None:
        running = [carried.task for carried in self._carried.values() if carried.task]
        if not running:
            return
        grace_s = deadline - asyncio.get_running_loop().time()
        _, late = await asyncio.wait(running, timeout=max(0.0, grace_s))
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=LAST_WRITES_S)

    def _drop_hints(self) -> None:
        self._here.difference_update(self._hints)
        self._hints.clear()

    # --- claiming -------------------------------------------------------------------------------

    async def _claim_loop(self) -> None:
        while not self._stopping:
            await self._until_useful()
            if self.stage.gate is not None:
                await self.stage.gate.wait_open()
            ids = await self._admitted()
            if ids:
                self._claiming = asyncio.create_task(self._claim(ids))
                await asyncio.shield(self._claiming)
                self._claiming = None

    async def _until_useful(self) -> None:
        while not self._stopping and not (self._worth_a_claim() and self._may_claim()):
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), timeout=CONTROL_S)
            except TimeoutError:
                continue

    def _worth_a_claim(self) -> bool:
        """Whether half of what may be held ahead is free, or all hints fit: a claim for every slot
        that comes free would wear Postgres out."""
        most = max(1, min(self._ahead // 2, MICRO_BATCH))
        return 0 < min(most, len(self._hints)) <= self._room()

    def _room(self) -> int:
        return self.most_in_hand - self._in_hand

    def _may_claim(self) -> bool:
        """A worker that could not renew its leases for a whole lease claims nothing."""
        return not self._carried or self.lease_age() < LEASE_S

    def _is_shut(self) -> bool:
        return self.stage.gate is not None and not self.stage.gate.is_open

    def lease_age(self) -> float:
        """Seconds since the leases of what is carried were known to be ours."""
        return asyncio.get_running_loop().time() - self._renewed_at

    async def _admitted(self) -> list[int]:
        """The next hints that may be claimed. What waits for a limit stays a hint meanwhile."""
        most = min(len(self._hints), self._room(), MICRO_BATCH)
        hints = list(islice(self._hints, most))
        try:
            ids = await self.stage.admit(hints)
        except Exception:
            # A fault of ours, said aloud; claiming brings out what is wrong, or that nothing is.
            logger().exception(f"{self.stage.name}: could not admit", ids=hints)
            ids = hints
        if self._stopping or self._is_shut():  # it may have taken long
            self.stage.decline(ids)
            return []
        for hint in ids:
            self._hints.remove(hint)  # near the front: as fast as popping it
        self._used()
        return ids

    async def _claim(self, ids: list[int]) -> None:
        if not self._carried:
            self._renewed_at = asyncio.get_running_loop().time()
        held = await self._claimed(ids)
        if held and self.lease_age() >= RENEW_S:
            held = await self._still_ours(held)
        if self._stopping:
            await self.stage.release(held)
            held = []
        for item in held:
            self._carry(item)
        self._here.difference_update(set(ids) - {item.hint for item in held})

    async def _claimed(self, ids: list[int]) -> list[Held]:
        try:
            return await self.stage.claim(ids)
        except Exception:
            # A fault of ours, said aloud. Nothing is lost: the feeder hints these ids again.
            logger().exception(f"{self.stage.name}: could not claim", ids=ids)
            self.stage.decline(ids)
            return []

    async def _still_ours(self, held: list[Held]) -> list[Held]:
        """A claim that waited an outage out has leases that are newer than those known to be ours:
        renewed with them, all are of one age again."""
        ours: set[Lease] = set()
        try:
            ours = await self._renew(held)
        except (psycopg.OperationalError, psycopg.InterfaceError) as exc:  # they run out
            self._db.outage.begin(exc)
        self.stage.decline([item.hint for item in held if item.lease not in ours])
        return [item for item in held if item.lease in ours]

    def _carry(self, held: Held) -> None:
        carried = _Carried(held, self)
        self._carried[held.hint] = carried
        self._in_hand += 1
        carried.task = asyncio.create_task(self._through(carried))
        carried.task.add_done_callback(lambda _: self._ended(carried))

    def _ended(self, carried: _Carried) -> None:
        """However its task ended, also if it was cancelled before its first step."""
        self._out_of_hand(carried)
        self._carried.pop(carried.held.hint, None)
        self._here.discard(carried.held.hint)

    def _out_of_hand(self, carried: _Carried) -> None:
        if carried.in_hand:
            carried.in_hand = False
            self._in_hand -= 1
            self._changed.set()

    async def _through(self, carried: _Carried) -> None:
        try:
            outcome = await self.stage.work(carried.held, carried)
            self._out_of_hand(carried)
            if not carried.given_back:
                await self.stage.finish(outcome)
        except asyncio.CancelledError:
            return  # before its first step: it was given back, or its lease runs out by itself
        except Exception:
            # A fault of ours: said aloud; the lease runs out and the job comes round again.
            logger().exception(f"{self.stage.name}: unexpected error", id=carried.held.hint)

    # --- leases and control ---------------------------------------------------------------------

    async def _lease_loop(self) -> None:
        while True:
            await asyncio.sleep(CONTROL_S)
            try:
                await self._obey_control()
                if self._carried and self.lease_age() >= RENEW_S:
                    await self._renew()
            except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
                self._db.outage.begin(exc)
            if self._carried and self.lease_age() >= LEASE_S:
                self._abandon()

    async def _renew(self, claimed: Sequence[Held] = ()) -> set[Lease]:
        """Prolong every lease, of what is carried and of what was just claimed; which are ours."""
        asked = {carried.held.lease: carried for carried in self._carried.values()}
        now = asyncio.get_running_loop().time()
        ours = await self.stage.renew([*asked, *(item.lease for item in claimed)])
        self._renewed_at = now
        for lease, carried in asked.items():
            still_carried = self._carried.get(carried.held.hint) is carried
            if lease not in ours and still_carried and carried.task is not None:
                carried.task.cancel()
        return ours

    def _abandon(self) -> None:
        """No renewal for a whole lease: the jobs may be somebody else's by now. Stop the calls."""
        for carried in self._carried.values():
            if carried.task is not None:
                carried.task.cancel()

    async def _obey_control(self) -> None:
        """Give back what has not begun and belongs to a batch that was paused or cancelled."""
        idle = {c.held.batch_id for c in self._carried.values() if not c.begun}
        if not idle:
            return
        [rows] = await self._db.run_once([("stopped_batches", {"ids": list(idle)})])
        stopped = {row["id"] for row in rows}
        if stopped:
            await self._give_back(lambda carried: carried.held.batch_id in stopped)

    async def _give_back(self, which: Callable[[_Carried], bool]) -> None:
        idle = [c for c in self._carried.values() if c.in_hand and not c.begun and which(c)]
        for carried in idle:
            carried.given_back = True
            if carried.task is not None:
                carried.task.cancel()
        if idle:
            await self.stage.release([carried.held for carried in idle])
