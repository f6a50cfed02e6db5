"""What engines do with their models, found out once for each version and weights and kept."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from psycopg.types.json import Jsonb

from worker.db import Database
from worker.llm.probe import Traits


class KnownTraits:
    """Traits by a key that says whose they are; a process asks about each once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[str, asyncio.Future[Traits]] = {}

    async def of(self, key: str, find_out: Callable[[], Awaitable[Traits]]) -> Traits:
        """What Postgres knows, or what is found out now. Whatever `find_out` raises is raised to
        all who wait for it, and the next one tries anew."""
        if key not in self._known:
            self._known[key] = found = asyncio.ensure_future(self._find(key, find_out))
            found.add_done_callback(_heard)
        try:
            return await asyncio.shield(self._known[key])
        except Exception:
            self._known.pop(key, None)
            raise

    async def _find(self, key: str, find_out: Callable[[], Awaitable[Traits]]) -> Traits:
        for row in await self._db.run("calls/traits", key=key):
            return Traits(**row["traits"])
        traits = await find_out()
        await self._db.run("calls/keep_traits", key=key, traits=Jsonb(asdict(traits)))
        return traits


def _heard(found: asyncio.Future[Traits]) -> None:
    """Whoever waited for it may have been stopped: its error is no surprise then."""
    if not found.cancelled():
        found.exception()
