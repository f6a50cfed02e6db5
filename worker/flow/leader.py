"""The leader: the one worker process that feeds the queues and keeps house.

Every process tries for a lock in Postgres; one of them gets it. The lock and the leader's beat have
a connection of their own, so that the beat depends on no work; the work has another. A leader that
is dead loses the lock with its connection; one that is frozen is deposed by the next.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
from psycopg.rows import dict_row

from models.database import conninfo
from models.sql import load_sql
from worker.db import KEEPALIVE, Row, passes, settle_in
from worker.flow.housekeeping import House
from worker.flow.loops import run_together
from worker.flow.supply import Supply
from worker.log import logger
from worker.outage import Outage

LOCK = 0x66656564
BEAT_S = 0.5
TRY_S = 1.0
"""How often those that do not lead try for the lock."""

SILENCE_S = 5.0
"""A leader that has not beaten for this long is deposed."""

AWAY_S = 7.0
"""When no leader has beaten for this long, Postgres may have been away: workers that lived through
that renew first, and only then are leases that ran out taken for abandoned."""

ANSWER_S = 3.0
"""How long a beat may take."""

LOSES_LITTLE = "SET synchronous_commit = off"
"""What the leader does is done again where a crash of Postgres undoes it: it waits for no disk."""

Connection = psycopg.AsyncConnection[Row]


class Leadership:
    """One process's try for the lead, and its reign while it has it."""

    def __init__(self, url: str) -> None:
        self._url = conninfo(url)
        self._outage = Outage("postgres (leader)")
        self._redis = Outage("redis")

    async def run(self) -> None:
        """Try, lead, try again; until cancelled."""
        while True:
            try:
                await self._session()
            except* (psycopg.Error, TimeoutError) as group:
                self._stumbled(group)
            await asyncio.sleep(BEAT_S)

    def _stumbled(self, group: "ExceptionGroup[Exception]") -> None:
        """Postgres is away, or a statement is at fault: said aloud, and begun anew."""
        if any(isinstance(one, psycopg.Error) and not passes(one) for one in group.exceptions):
            logger().error("the leader stumbled; it starts anew", exc_info=group)
        else:
            self._outage.begin(group.exceptions[0])

    async def _session(self) -> None:
        """One connection: wait for the lock on it, then lead until something breaks."""
        async with await self._connect() as connection:
            self._outage.end()
            while not await _leads(connection):
                await asyncio.sleep(TRY_S)
            silence = await _all(connection, "flow/silence")
            logger().info("leading: this process feeds the queues")
            await self._reign(connection, was_away=silence[0]["seconds"] > AWAY_S)

    async def _reign(self, beating: Connection, *, was_away: bool) -> None:
        async with await self._connect() as working:
            await settle_in(working)
            await working.execute(LOSES_LITTLE)
            run = _runner(working)
            house = House(run, was_away=was_away)
            supply = Supply(run, self._redis)
            await run_together(beat=_beat(beating), work=_work(house, supply))

    async def _connect(self) -> Connection:
        more: dict[str, Any] = {**KEEPALIVE, "row_factory": dict_row}
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, **more)


async def _work(house: House, supply: Supply) -> None:
    """What the leader does, in turns on one connection."""
    while True:
        await house.keep()
        await supply.top_up()
        await asyncio.sleep(supply.pause_s)


async def _beat(connection: Connection) -> None:
    while True:
        async with asyncio.timeout(ANSWER_S):
            await _all(connection, "flow/beat")
        await asyncio.sleep(BEAT_S)


async def _leads(connection: Connection) -> bool:
    async with asyncio.timeout(ANSWER_S):
        if (await _all(connection, "flow/lead", lock=LOCK))[0]["leads"]:
            return True
        await _all(connection, "flow/depose", lock=LOCK, silence_s=SILENCE_S)
    return False


Run = Callable[..., Coroutine[Any, Any, list[Row]]]


def _runner(connection: Connection) -> Run:
    async def run(name: str, **params: object) -> list[Row]:
        return await _all(connection, name, **params)

    return run


async def _all(connection: Connection, name: str, **params: object) -> list[Row]:
    cursor = await connection.execute(load_sql("worker", name), params)
    return await cursor.fetchall() if cursor.description else []
