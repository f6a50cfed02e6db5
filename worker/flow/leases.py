"""The leases of this process, on a clock of their own.

Every lease knows when it was last seen to be ours. A renewal that takes long, fails or never comes
back changes nothing about that: what has not been confirmed for a whole lease is given up, because
by then it may be somebody else's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from models.database import conninfo
from models.sql import load_sql
from worker.db import Row, settle_in
from worker.flow.loops import run_together
from worker.flow.stage import Lease
from worker.outage import Outage
from worker.settings import LEASE_S, RENEW_S

LOOK_S = 0.25
"""How often is looked whether a lease is due, or lost."""

TRY_S = 2.0
"""How long one renewal may take before it is tried on another connection."""


class Leases:
    """Renews what this process holds. `run` is its clock; it needs no other part of the process."""

    def __init__(self, url: str, owner: UUID) -> None:
        self._url = conninfo(url)
        self._owner = owner
        self._seen: dict[Lease, float] = {}
        self._lost: dict[Lease, Callable[[], None]] = {}
        self._outage = Outage("postgres (leases)")

    def add(self, leases: Iterable[Lease], since: float, lost: Callable[[Lease], None]) -> None:
        """Keep these, which were claimed at `since` (the loop's time, seconds) at the earliest.
        `lost` is called for each that is not ours any more."""
        for lease in leases:
            self._seen[lease] = since
            self._lost[lease] = lambda lease=lease: lost(lease)  # type: ignore[misc]

    def drop(self, leases: Iterable[Lease]) -> None:
        """These are done with, whoever has them now."""
        for lease in leases:
            self._seen.pop(lease, None)
            self._lost.pop(lease, None)

    def is_ours(self, lease: Lease) -> bool:
        """Whether it was confirmed within one lease's time: else this process was stopped, or
        Postgres is away, and somebody else may have it."""
        seen = self._seen.get(lease)
        return seen is not None and _now() - seen < LEASE_S

    async def run(self) -> None:
        """Renew and give up, until cancelled."""
        await run_together(renewals=self._renewals(), losses=self._losses())

    async def _losses(self) -> None:
        while True:
            self._give_up([lease for lease in self._seen if not self.is_ours(lease)])
            await asyncio.sleep(LOOK_S)

    def _give_up(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            self._seen.pop(lease, None)
            self._lost.pop(lease)()

    async def _renewals(self) -> None:
        while True:
            try:
                await self._session()
            except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as exc:
                self._outage.begin(exc)
                await asyncio.sleep(LOOK_S)

    async def _session(self) -> None:
        """Renew on one connection until something breaks."""
        async with asyncio.timeout(TRY_S):
            connection = await psycopg.AsyncConnection.connect(
                self._url, autocommit=True, row_factory=dict_row
            )
        try:
            async with _answering(connection):
                await settle_in(connection)
            while True:
                await self._renew(connection)
                await asyncio.sleep(LOOK_S)
        finally:
            await asyncio.shield(_closed(connection))

    async def _renew(self, connection: "psycopg.AsyncConnection[Row]") -> None:
        now = _now()
        due = [lease for lease, seen in self._seen.items() if now - seen >= RENEW_S]
        if not due:
            return
        params = {
            "stages": [lease.stage for lease in due],
            "items": [lease.item for lease in due],
            "owner": self._owner,
            "lease_s": LEASE_S,
        }
        async with _answering(connection):
            cursor = await connection.execute(load_sql("worker", "flow/renew"), params)
            ours = {(row["stage"], row["item_id"]) for row in await cursor.fetchall()}
        self._outage.end()
        for lease in due:
            if lease in self._seen and (lease.stage, lease.item) in ours:
                self._seen[lease] = now
        lost = [lease for lease in due if (lease.stage, lease.item) not in ours]
        self._give_up([lease for lease in lost if lease in self._seen])


@asynccontextmanager
async def _answering(connection: "psycopg.AsyncConnection[Row]") -> AsyncIterator[None]:
    """Raises TimeoutError where no answer comes in time. The connection is dropped first: psycopg
    would give a server that says nothing ten seconds more to cancel what it is asked."""
    drop = asyncio.get_running_loop().call_later(TRY_S, connection.pgconn.finish)
    try:
        async with asyncio.timeout(TRY_S):
            yield
    finally:
        drop.cancel()


async def _closed(connection: "psycopg.AsyncConnection[Row]") -> None:
    """A connection that does not answer is dropped, not talked to."""
    connection.pgconn.finish()


def _now() -> float:
    return asyncio.get_running_loop().time()
