"""What engines do with their models, found out once for each version and weights and kept."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from psycopg.types.json import Jsonb

from worker.db import Database
from worker.llm.engine import Health
from worker.llm.probe import EDITION, Traits

KEPT_S = 600.0
"""For how long a process goes by what it knows: meanwhile somebody may have asked anew (`docmill
doctor --probe`), or started a server in another way."""


def key_of(kind: str, health: Health, model: str) -> str | None:
    """Whose traits they are: a version of an engine, and weights. None where it does not say
    both: it could be another one tomorrow."""
    version, digest = health.version, health.digest(model)
    return f"{EDITION} {kind} {version} {model} {digest}" if version and digest else None


def row_of(key: str, traits: Traits) -> dict[str, object]:
    """The parameters of calls/keep_traits."""
    return {"key": key, "traits": Jsonb(asdict(traits))}


@dataclass(slots=True)
class _Known:
    found: asyncio.Future[Traits]
    until: float
    before: Traits | None
    """What was known before, in case that it cannot be found out anew."""


class KnownTraits:
    """Traits by a key that says whose they are; a process asks about each once in a while."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[str, _Known] = {}

    async def of(
        self, key: str, find_out: Callable[[], Awaitable[Traits]], *, lasting: bool = True
    ) -> Traits:
        """What Postgres knows, or what is found out now. `lasting`: it stays as it is for this key,
        and is kept in Postgres. Whatever `find_out` raises is raised to all who wait for it, where
        nothing was known before; and the next one tries anew."""
        known = self._asked(key, find_out, lasting=lasting)
        try:
            return await asyncio.shield(known.found)
        except Exception:
            if known.before is not None:
                return known.before
            self._known.pop(key, None)
            raise

    def _asked(
        self, key: str, find_out: Callable[[], Awaitable[Traits]], *, lasting: bool
    ) -> _Known:
        now, known = asyncio.get_running_loop().time(), self._known.get(key)
        if known is not None and (now < known.until or not known.found.done()):
            return known
        found = self._find(key, find_out) if lasting else find_out()
        task = asyncio.ensure_future(found)
        task.add_done_callback(_heard)
        before = _last(known) if known is not None else None
        self._known[key] = known = _Known(task, now + KEPT_S, before)
        return known

    async def _find(self, key: str, find_out: Callable[[], Awaitable[Traits]]) -> Traits:
        for row in await self._db.run("calls/traits", key=key):
            return Traits(**row["traits"])
        traits = await find_out()
        await self._db.run("calls/keep_traits", **row_of(key, traits))
        return traits


def _last(known: _Known) -> Traits | None:
    failed = known.found.cancelled() or known.found.exception() is not None
    return known.before if failed else known.found.result()


def _heard(found: asyncio.Future[Traits]) -> None:
    """Whoever waited for it may have been stopped: its error is no surprise then."""
    if not found.cancelled():
        found.exception()
