"""Purge: what a batch's documents, asks and answers said leaves Postgres and this host's journals.

What it cost stays in the ledger. The leader does the same with batches whose retention has ended,
and goes on with a purge that was broken off (worker/flow/housekeeping.py).
"""

import asyncio
import sys
from functools import partial
from pathlib import Path

import psycopg

from models.database import database_url
from models.errors import InputError, NotFound
from models.settings import settings
from worker.calls.replay import Replay
from worker.db import Database, Row, fetch, one_connection
from worker.persist import purged_calls, settle_calls
from worker.settings import PURGED


def purge(batch: int, *, keep_costs: bool, delete: bool) -> int:
    """Purge a batch, and `delete` what is left of it. Raises NotFound, or InputError where it is
    not over."""
    with one_connection() as connection:
        fetch(connection, "flow/close_batches", ids=[batch])  # no leader may have been there to
        if not fetch(connection, "purge/begin", batch=batch, keep_costs=keep_costs):
            raise _refusal(connection, batch)
        while fetch(connection, "purge/next", batch=batch, most=PURGED)[0]["n"]:
            pass
        if delete:
            fetch(connection, "purge/delete", batch=batch)
    if (folder := settings().home / "journal").is_dir():
        asyncio.run(_clear_journals(folder))
    costs = "stays under its number" if keep_costs else "stays in the sums, under no batch"
    done = "deleted" if delete else "purged"
    sys.stdout.write(
        f"batch {batch} is {done}: its documents, asks and answers are gone; what it cost {costs}\n"
    )
    return 0


def _refusal(connection: "psycopg.Connection[Row]", batch: int) -> InputError:
    found = fetch(connection, "purge/state", batch=batch)
    if not found:
        return NotFound(f"there is no batch {batch}; `docmill list` shows those that are")
    [row] = found
    if row["busy"]:
        return InputError(f"calls of batch {batch} are still under way; try again when they ended")
    return InputError(f"batch {batch} is {row['state']}; `docmill cancel {batch}` first")


async def _clear_journals(folder: Path) -> None:
    """Answers that no process holds any more; what one holds goes within seconds by itself."""
    db = Database(database_url())
    await db.open()
    replay = Replay(folder, partial(settle_calls, db))
    await replay.look()
    await replay.forget(partial(purged_calls, db))
    await db.close()
