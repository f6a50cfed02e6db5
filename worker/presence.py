"""Presence: a worker says that it lives, what it reaches and what it does not ask at present; and
hears which configuration counts, which queues there are and what somebody lifted."""

import asyncio
import os
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from models.database import conninfo, database_url
from models.errors import ConfigError
from models.sql import load_sql
from models.words import Pool
from worker.calls.access import EngineAccess, ModelAccess
from worker.configs import Configs
from worker.db import Database, Row
from worker.flow.pump import Pump
from worker.flow.solitude import SAID, Peer, Standing
from worker.jsonb import as_json
from worker.log import logger
from worker.settings import PRESENCE_S, SILENCE_S

MODELS_S = 10.0
"""How often an engine is asked which models it has. That costs nothing."""


@dataclass(frozen=True, slots=True)
class ServerRow:
    """An engine as this process reaches it: a row of `servers`."""

    engine: str
    zone: str
    kind: str
    address: str
    models: tuple[str, ...]
    slots: int
    in_use: int
    max_slots: int | None
    """How many there may come to be; None: their number is fixed."""


@dataclass(frozen=True, slots=True)
class GateRow:
    """What is not asked at present: a row of `gates`."""

    engine: str
    model: str
    code: str
    message: str
    lasting: bool
    since: datetime
    until: datetime | None


class Presence:
    """One process's presence. `serve` is called when there may be queues to be served anew; `shown`
    is the model that pages are shown to."""

    def __init__(
        self,
        db: Database,
        owner: UUID,
        pool: Pool,
        configs: Configs,
        served: Mapping[str, tuple[EngineAccess, Pump]],
        serve: Callable[[], Awaitable[None]],
        shown: ModelAccess | None = None,
    ) -> None:
        self._db = db
        self._owner = owner
        self._pool = pool
        self._configs = configs
        self._served = served
        self._serve = serve
        self._shown = shown
        self._unread = ""
        self._news = asyncio.Event()
        """Something is to be said at once."""
        self._solitudes = {
            name: pump.solitude for name, (_, pump) in served.items() if pump.solitude is not None
        }
        for solitude in self._solitudes.values():
            solitude.tell = self._news.set

    async def run(self) -> None:
        """Say and hear, until cancelled. Postgres may be away meanwhile."""
        while True:
            self._news.clear()
            try:
                await self.say()
                await self._configs.look()
                await self._serve()
            except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
                self._db.outage.begin(exc)
            except ConfigError as exc:
                self._cannot_read(exc)
            with suppress(TimeoutError):
                async with asyncio.timeout(PRESENCE_S):
                    await self._news.wait()

    def _cannot_read(self, exc: ConfigError) -> None:
        """A newer Docmill wrote it: this worker goes on by the one that it knows."""
        if str(exc) != self._unread:
            self._unread = str(exc)
            logger().error(
                "a configuration cannot be read: give this host the newer Docmill", why=self._unread
            )

    async def say(self) -> None:
        """One sign of life; then a look at how the others stand to the same engines."""
        stood = {name: solitude.standing for name, solitude in self._solitudes.items()}
        params = {
            "owner": self._owner,
            "pool": self._pool,
            "machine": socket.gethostname(),
            "pid": os.getpid(),
            "configuration": self._configs.number,
            "servers": as_json([_server(*one) for one in self._served.values()]),
            "gates": as_json(self._shut()),
        }
        [lifted] = await self._db.run_once([("flow/presence", params)])
        for row in lifted:
            await self._lift(row["engine"], row["model"])
        if stood:
            self._hear(stood, await self._peers())

    def _shut(self) -> list[GateRow]:
        """What is not asked at present. A model that jobs and pages are for is said once."""
        rows = [row for one in self._served.values() for row in _gates(*one)]
        if self._shown is not None:
            said = {(row.engine, row.model) for row in rows}
            rows += [row for row in _shown_gate(self._shown) if (row.engine, row.model) not in said]
        return rows

    async def _lift(self, engine: str, model: str) -> None:
        if engine in self._served:
            await self._served[engine][0].lift(model)
        shown = self._shown
        if shown is not None and shown.is_meant(engine, model):
            await shown.access.lift("")

    async def _peers(self) -> list[Row]:
        """In a transaction of its own: of two that say something at once each is to see it."""
        params = {"owner": self._owner, "standings": list(Standing), "silence_s": SILENCE_S}
        [rows] = await self._db.run_once([("flow/peers", params)])
        return rows

    def _hear(self, stood: Mapping[str, Standing], rows: Iterable[Row]) -> None:
        peers: defaultdict[str, list[Peer]] = defaultdict(list)
        for row in rows:
            peers[row["engine"]].append(Peer(row["owner"], Standing(row["standing"])))
        for name, standing in stood.items():
            self._solitudes[name].hear(standing, peers[name])

    async def leave(self) -> None:
        """Say goodbye."""
        await self._db.run_once([("flow/leave", {"owner": self._owner})])

    async def look(self) -> None:
        """Look how every engine is, and which models those of one's own have."""
        known = [access for access, _ in self._served.values()]
        if self._shown is not None and self._shown.access.deployment.name not in self._served:
            known.append(self._shown.access)
        await asyncio.gather(*(access.look() for access in known))

    async def watch_models(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(MODELS_S)
            await self.look()


def is_alive() -> bool:
    """Whether a worker process of this machine has lately said that its loops go round."""
    params = {"machine": socket.gethostname(), "silence_s": SILENCE_S}
    with psycopg.connect(conninfo(database_url()), connect_timeout=5) as connection:
        row = connection.execute(load_sql("worker", "flow/alive"), params).fetchone()
        return bool(row and row[0])


def _server(access: EngineAccess, pump: Pump) -> ServerRow:
    deployment = access.deployment
    return ServerRow(
        deployment.name,
        deployment.zone,
        deployment.config.kind,
        deployment.host,
        tuple(sorted({lane.queue.model for lane in pump.lanes.values()})),
        pump.slots.size,
        pump.in_use,
        pump.slots.most,
    )


def _gates(access: EngineAccess, pump: Pump) -> list[GateRow]:
    name, solitude = access.deployment.name, pump.solitude
    rows = {
        model: GateRow(name, model, shut.code, shut.message, shut.lasting, shut.since, shut.until)
        for model, shut in access.shut()
    }
    if solitude is not None and solitude.standing is not Standing.OPEN:
        said = SAID[solitude.standing]
        rows[""] = GateRow(name, "", solitude.standing, said, False, solitude.since, None)
    return list(rows.values())


def _shown_gate(shown: ModelAccess) -> Iterator[GateRow]:
    """The model that pages are shown to, where it or its engine is not asked for them. It holds no
    jobs, and so is nothing lasting to them."""
    gates = dict(shown.access.shut())
    shut = gates.get("") or gates.get(shown.model)
    if shut is not None:
        engine = shown.access.deployment.name
        yield GateRow(engine, shown.model, shut.code, shut.message, False, shut.since, shut.until)
