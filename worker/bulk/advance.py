"""Advancing: bulks are moved on, a step at a time, by whichever worker takes them.

Each step is written down before the next one begins. A worker may end at any point: another one
takes the bulk when its time is over, and goes on by what stands in Postgres and at the provider.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import assert_never
from uuid import UUID

import psycopg

from models.engines import EngineConfig
from models.states import BulkState
from worker.bulk.decide import (
    FULL_JOBS,
    Bulk,
    Due,
    GivenUp,
    Moved,
    Read,
    Step,
    after_error,
    after_fetch,
    after_look,
    after_search,
    due,
    in_time,
    next_step,
    stranded,
)
from worker.bulk.gather import Gathering, in_bulk, run_live
from worker.bulk.requests import Kept, kept
from worker.calls.access import EngineAccess
from worker.calls.ledger import CallRow
from worker.db import Database, Row
from worker.flow.loops import run_together
from worker.jsonb import as_json
from worker.llm.batches import BatchApi, Order, Reply
from worker.llm.engine import Completion, EngineError, Trouble
from worker.log import logger
from worker.settings import LEASE_S, RENEW_S, SILENCE_S

TURN_S = 1.0
"""The pause between two looks at what is due."""

AFTER_FAULT_S = 60.0
"""The pause after a step that failed by a fault of our own."""

BLOCK = 200
"""Replies that are written at once."""

AT_ONCE = 4
"""Bulks that a process moves on at a time: a provider may take minutes for an upload."""

FIRST = UUID(int=0)


class _Lost(Exception):
    """Another worker has the bulk."""


@dataclass(frozen=True, slots=True)
class BulkEngine:
    """An engine whose provider has a batch API, as this process reaches it."""

    access: EngineAccess
    api: BatchApi
    gathering: Gathering

    @property
    def config(self) -> EngineConfig:
        """Its table of the configuration."""
        return self.access.deployment.config


class Bulks:
    """The bulks of this process's engines. `lacking`: those that have no batch API (any more), and
    may have had one."""

    def __init__(
        self,
        db: Database,
        owner: UUID,
        engines: Mapping[str, BulkEngine],
        lacking: Mapping[str, EngineAccess] | None = None,
    ) -> None:
        self._db = db
        self._owner = owner
        self._engines = engines
        reached = {name: engine.access for name, engine in engines.items()}
        self._accesses = {**reached, **(lacking or {})}
        self._hosts = [engine.access.deployment.host for engine in engines.values()]

    async def run(self) -> None:
        """Begin bulks and move them on, until cancelled. A process that reaches no engine for them
        asks Postgres nothing."""
        if not self._accesses:
            await asyncio.Event().wait()
        moving = {f"bulks {number}": self._again(self._advance) for number in range(AT_ONCE)}
        await run_together(begin=self._again(self._begin), **moving)

    async def _again(self, turn: Callable[[], Awaitable[bool]]) -> None:
        """Turn after turn, with a pause where there was nothing to do. Postgres may be away."""
        while True:
            try:
                while await turn():
                    pass
            except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
                self._db.outage.begin(exc)
            await asyncio.sleep(TURN_S)

    async def close(self) -> None:
        """Close the connections to the providers."""
        await asyncio.gather(*(engine.api.close() for engine in self._engines.values()))

    # --- beginning ------------------------------------------------------------------------------

    async def _begin(self) -> bool:
        """Look at the lines in which jobs wait for a bulk; False: that is all for now."""
        engines = list(self._accesses)
        for line in await self._db.run("bulk/lines", engines=engines, most=FULL_JOBS):
            engine = self._engines.get(line["engine"])
            if engine is None:
                await run_live(self._db, self._owner, line["line_id"])
                continue
            match self._due(line, engine):
                case Due.GATHER:
                    host = engine.access.deployment.host
                    await self._db.run("bulk/begin", line_id=line["line_id"], host=host)
                case Due.RUN_LIVE:
                    await run_live(self._db, self._owner, line["line_id"])
                case Due.WAIT:
                    pass
        return False

    @staticmethod
    def _due(line: Row, engine: BulkEngine) -> Due:
        return due(
            line["jobs"],
            line["deadline"],
            engine.config,
            engine.gathering.bounds,
            line["now"],
            more_comes=line["more_comes"],
            handed_in=line["handed_in"],
            allowed=line["allowed"],
        )

    # --- moving on ------------------------------------------------------------------------------

    async def _advance(self) -> bool:
        """Take the next bulk that is due and make a step of it; False: none is."""
        holding = {"owner": self._owner, "lease_s": LEASE_S, "silence_s": SILENCE_S}
        reached = {"engines": list(self._engines), "hosts": self._hosts}
        every = list(self._accesses)
        rows = await self._db.run("bulk/take", every=every, **reached, **holding)
        if not rows:
            return False
        bulk = Bulk(**{**rows[0], "state": BulkState(rows[0]["state"])})
        step = asyncio.create_task(self._step(bulk), name=f"bulk {bulk.id}")
        keep = asyncio.create_task(self._keep(bulk), name=f"bulk {bulk.id}: lease")
        try:
            await asyncio.wait({step, keep}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (step, keep):
                task.cancel()
            await asyncio.gather(step, keep, return_exceptions=True)
        if not step.cancelled() and (fault := step.exception()) is not None:
            await self._stumbled(bulk, fault)
        return True

    async def _keep(self, bulk: Bulk) -> None:
        """Renew the hold on a bulk, and return when it is lost: by our own clock, too."""
        holding = {"owner": self._owner, "lease_s": LEASE_S}
        with suppress(TimeoutError):
            while True:
                await asyncio.sleep(RENEW_S)
                async with asyncio.timeout(LEASE_S - RENEW_S):
                    if not await self._db.run("bulk/renew", id=bulk.id, **holding):
                        return

    async def _stumbled(self, bulk: Bulk, fault: BaseException) -> None:
        if isinstance(fault, _Lost):
            logger().info("another worker has this bulk", bulk=str(bulk.id))
            return
        if not isinstance(fault, Exception) or isinstance(fault, psycopg.OperationalError):
            raise fault
        logger().error("a step of a bulk failed", bulk=str(bulk.id), exc_info=fault)
        # By now it may be further on than when it was taken: told to begin, or somebody else's.
        with suppress(_Lost):
            await self._move(bulk, Moved(None, AFTER_FAULT_S, detail=_internal(fault)))

    async def _step(self, bulk: Bulk) -> None:
        engine = self._engines.get(bulk.engine)
        if engine is None or engine.access.deployment.host != bulk.host:
            access = self._accesses[bulk.engine]
            await self._moved(bulk, access, stranded(bulk, access.deployment.config))
            return
        step = next_step(bulk, engine.config)
        try:
            came = await self._made(step, bulk, engine)
        except EngineError as error:
            came = after_error(bulk, step, error, engine.config)
            logger().warning("a provider's batch does not go on", bulk=str(bulk.id), why=str(error))
        try:
            await self._moved(bulk, engine.access, came)
        except _Lost:
            if isinstance(came, Moved) and step is Step.CREATE and came.remote is not None:
                await self._withdraw(engine, came.remote)
            raise

    async def _moved(self, bulk: Bulk, access: EngineAccess, came: Moved | GivenUp) -> None:
        """Write down what a step came to. Raises _Lost."""
        if isinstance(came, GivenUp):
            came = await self._give_up(bulk, access, came)
        await self._move(bulk, in_time(bulk, came, access.deployment.config))
        _tell(bulk, came)

    async def _withdraw(self, engine: BulkEngine, remote: str) -> None:
        """Stop a batch that was begun too late: the bulk has, or will have, another one. Unless it
        was found meanwhile."""
        host = engine.access.deployment.host
        if not await self._db.run("bulk/remotes", host=host, remotes=[remote]):
            with suppress(EngineError):
                await engine.api.cancel(remote)

    async def _made(self, step: Step, bulk: Bulk, engine: BulkEngine) -> Moved | GivenUp:
        """Make a step; where the bulk is after it. Raises EngineError."""
        api, poll_s = engine.api, engine.config.batch_poll_s
        match step:
            case Step.GATHER:
                requests = await engine.gathering.fill(bulk)
                return Moved(BulkState.GATHERED if requests else BulkState.CLOSED)
            case Step.UPLOAD:
                return Moved(BulkState.UPLOADED, upload=await api.upload(await self._order(bulk)))
            case Step.CREATE:
                order = await self._order(bulk)
                await self._move(bulk, Moved(BulkState.CREATING, poll_s), keep=True)
                remote = await api.create(order, bulk.upload or "")
                return Moved(BulkState.SUBMITTED, poll_s, remote=remote)
            case Step.FIND:
                return after_search(bulk, await self._found(bulk, api), poll_s)
            case Step.LOOK:
                return after_look(bulk, await api.progress(bulk.remote or ""), engine.config)
            case Step.STOP:
                await api.cancel(bulk.remote or "")
                return Moved(BulkState.STOPPING, poll_s)
            case Step.FETCH:
                return await self._fetch(bulk, engine)
            case Step.FORGET:
                await api.forget(bulk.remote or "", bulk.upload or "")
                return Moved(BulkState.CLOSED)
            case Step.GIVE_BACK:
                return GivenUp("there was no time for it, or its batch was cancelled")
            case _:
                assert_never(step)

    async def _move(self, bulk: Bulk, came: Moved, *, keep: bool = False) -> None:
        """Write down where a bulk is."""
        params = {**asdict(came), "id": bulk.id, "owner": self._owner, "keep": keep}
        if not await self._db.run("bulk/move", **params):
            raise _Lost

    # --- what is handed in ----------------------------------------------------------------------

    async def _order(self, bulk: Bulk) -> Order:
        return Order(str(bulk.id), [one.item async for one in self._kept(bulk)])

    async def _kept(self, bulk: Bulk) -> AsyncIterator[Kept]:
        """All jobs that stand in a bulk, block by block."""
        after = FIRST
        while rows := await self._db.run("bulk/items", id=bulk.id, after=after, most=BLOCK):
            for row in rows:
                yield kept(row)
            after = rows[-1]["call_id"]

    async def _found(self, bulk: Bulk, api: BatchApi) -> list[str]:
        """What the provider may have begun for a bulk, and is no other's."""
        assert bulk.sent_at is not None
        remotes = list(await api.find(await self._order(bulk), bulk.sent_at))
        rows = await self._db.run("bulk/remotes", host=bulk.host, remotes=remotes)
        known = {row["remote"] for row in rows}
        return [remote for remote in remotes if remote not in known]

    # --- what comes back ------------------------------------------------------------------------

    async def _fetch(self, bulk: Bulk, engine: BulkEngine) -> Moved | GivenUp:
        """Write down all replies; jobs that the provider never came to have cost nothing."""
        read = Read()
        async for replies in _blocks(engine.api.results(bulk.remote or "")):
            read.replies += len(replies)
            read.ours += await self._take_in(bulk, engine, replies)
        came = after_fetch(bulk, read, engine.config.batch_poll_s)
        if isinstance(came, Moved) and came.state is BulkState.FETCHED:
            gone = EngineError(Trouble.UNAVAILABLE, "the provider's batch never came to it")
            await self._end_rest(bulk, engine.access, gone)
        return came

    async def _take_in(self, bulk: Bulk, engine: BulkEngine, replies: Mapping[UUID, Reply]) -> int:
        """Write down replies; how many of them were ours."""
        rows = await self._db.run("bulk/these", id=bulk.id, calls=list(replies))
        mine = [kept(row) for row in rows]
        calls = [_call(engine.access, one, replies[one.call_id].outcome) for one in mine]
        await self._back(bulk, calls)
        return len(mine)

    async def _end_rest(self, bulk: Bulk, access: EngineAccess, error: EngineError) -> None:
        """End all that still stand in a bulk with this error."""
        while rows := await self._db.run("bulk/items", id=bulk.id, after=FIRST, most=BLOCK):
            await self._back(bulk, [_call(access, kept(row), error) for row in rows])

    async def _back(self, bulk: Bulk, calls: Sequence[CallRow]) -> None:
        """Settle calls and put their jobs back in line, in one transaction."""
        if not calls:
            return
        ids = [call.id for call in calls]
        back = {"id": bulk.id, "owner": self._owner, "calls": ids}
        settle = {"calls": as_json(calls)}
        if not await self._db.run_all([("calls/settle", settle), ("bulk/back", back)]):
            raise _Lost

    async def _give_up(self, bulk: Bulk, access: EngineAccess, end: GivenUp) -> Moved:
        """Put all jobs of a bulk back in line, to be asked one by one."""
        if end.lost:
            error = EngineError(Trouble.UNAVAILABLE, end.why, maybe_billed=True)
            await self._end_rest(bulk, access, error)
        while rows := await self._db.run("bulk/items", id=bulk.id, after=FIRST, most=BLOCK):
            calls = [row["call_id"] for row in rows]
            given = {"id": bulk.id, "owner": self._owner, "calls": calls}
            if not await self._db.run("bulk/give_back", **given):
                raise _Lost
        kept_there = end.ours and (bulk.upload or bulk.remote)
        ended = BulkState.FETCHED if kept_there else BulkState.CLOSED
        return Moved(ended, given_up=end.why)


def _internal(fault: BaseException) -> str:
    return f"internal error: {type(fault).__name__}"


TOLD = {
    BulkState.SUBMITTED: "jobs are in a batch of their engine's provider",
    BulkState.FETCHED: "jobs are back from a batch of their engine's provider",
}


def _tell(bulk: Bulk, came: Moved) -> None:
    """Say in the log what a bulk has come to."""
    if came.state is not bulk.state and came.state in TOLD:  # None is in none of them
        about = {"engine": bulk.engine, "model": bulk.model, "remote": came.remote or bulk.remote}
        logger().info(TOLD[came.state], bulk=str(bulk.id), jobs=bulk.requests, **about)


def _call(access: EngineAccess, one: Kept, outcome: Completion | EngineError) -> CallRow:
    """What a job's call came to. How long a provider's batch took says nothing of a call."""
    ledger = in_bulk(access)
    if isinstance(outcome, Completion):
        row = ledger.settled(one.call_id, one.request, one.request_key, outcome)
    else:
        row = ledger.failed(one.call_id, one.request, outcome, 0)
    return replace(row, latency_ms=None)


async def _blocks(replies: AsyncIterator[Reply]) -> AsyncIterator[dict[UUID, Reply]]:
    """Replies by the call that they are for, block by block; what names no call is nobody's."""
    block: dict[UUID, Reply] = {}
    async for reply in replies:
        with suppress(ValueError):
            block[UUID(reply.name)] = reply
        if len(block) == BLOCK:
            yield block
            block = {}
    if block:
        yield block
