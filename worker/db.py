"""The worker's way to Postgres: statements by name, one small pool, outages waited out."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_dumps
from psycopg_pool import AsyncConnectionPool

from models.database import conninfo, database_url
from models.sql import load_sql
from worker.jsonb import dumps
from worker.outage import Outage

Row = dict[str, Any]
Statement = tuple[str, dict[str, Any]]

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 1.0

CONNECT_S = 2.0
"""How long a statement waits for a connection before it starts over. Left to itself the pool would
double its pauses, and come back from a long outage as long after its end."""

ANSWER_S = 40.0
"""How long an answer may be waited for: longer than Postgres lets a statement take."""

TRANSIENT = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
"""Postgres asks to try again at once; nothing is away."""


PASSING_CLASSES = ("08", "53", "57P", "25006", "58")
"""Connection, resources, operator's intervention, a standby, the system around Postgres."""


class Database:
    """Runs statements from worker/sql. Every one is guarded by state and owner, so that running it
    again after a lost connection is harmless; that is what makes waiting out an outage safe."""

    def __init__(self, url: str, *, connections: int = 4) -> None:
        set_json_dumps(dumps)
        self.url = conninfo(url)
        self.outage = Outage("postgres")
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Row]] = AsyncConnectionPool(
            self.url,
            min_size=1,
            max_size=connections,
            open=False,
            timeout=CONNECT_S,
            reconnect_timeout=CONNECT_S / 4,
            kwargs={"row_factory": dict_row, "autocommit": True, **KEEPALIVE},
            configure=settle_in,
        )

    async def open(self) -> None:
        """Start the pool; Postgres need not be up yet."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def run(self, name: str, **params: Any) -> list[Row]:
        """Run one statement and return its rows, for as long as it takes."""
        return await self.run_all([(name, params)])

    async def run_all(self, statements: Sequence[Statement]) -> list[Row]:
        """Run statements in one transaction; return the last one's rows."""
        return (await self.run_each(statements))[-1]

    async def run_each(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements in one transaction and one round trip; return the rows of each."""
        wait = FIRST_WAIT_S
        while True:
            try:
                rows = await self.run_once(statements)
            except TRANSIENT:
                continue
            except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
                if not passes(exc):
                    raise
                self.outage.begin(exc)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_S)
            else:
                self.outage.end()
                return rows

    async def run_once(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Like run_each, but an outage is the caller's to handle (psycopg.OperationalError).

        A Postgres that says nothing at all is an outage too.
        """
        async with self._pool.connection() as connection:
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await _together(connection, statements)
            except TimeoutError:
                connection.pgconn.finish()  # it does not answer: there is nothing to be said to it
                raise psycopg.OperationalError(f"no answer within {ANSWER_S:.0f} s") from None


STATEMENT_S = 30
"""How long a statement of a worker may take: each is bounded in what it touches."""

SILENT_S = 10
"""After how long without a sign of life from its host a connection counts as broken."""

KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENT_S * 1000,
    "connect_timeout": 5,
}
"""What tells a host that is gone from one that is slow (libpq, "Parameter Key Words")."""


BY_KEY = "SET enable_seqscan = off; SET enable_bitmapscan = off"
"""Every statement has an index for what it names: a plan that was made while a table was small
would read all of it, and is kept until Postgres next analyses the table. A plain look into an index
also clears away the entries of rows that are gone, as it meets them; one by bitmap does not."""


async def settle_in(connection: "psycopg.AsyncConnection[Row]") -> None:
    """What holds on every connection of a worker.

    One that freezes between two statements of a transaction would keep its locks, and all who look
    after lapsed leases waiting. To Postgres it is not idle but in the middle of a pipeline; from 17
    on there is a limit for that, and a host that is gone is found out by the kernel.
    """
    most_ms = STATEMENT_S * 1000
    await connection.execute(
        f"{BY_KEY}; SET statement_timeout = {most_ms};"  # noqa: S608 - numbers of ours
        f" SET idle_in_transaction_session_timeout = {most_ms};"
        " SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2;"
        " SET tcp_keepalives_count = 3; SET application_name = 'docmill worker';"
        f" SELECT set_config(name, '{2 * most_ms}', false)"
        " FROM pg_settings WHERE name = 'transaction_timeout'"
    )


def reason(exc: psycopg.Error) -> str:
    """An error without its details: those may quote a document or an answer."""
    return exc.diag.message_primary or type(exc).__name__


def passes(exc: psycopg.Error) -> bool:
    """True for what waiting can mend: no connection, a server that starts, stops or is full.

    A value too large for Postgres is an OperationalError too, and would be one for ever. The
    classes stand in the PostgreSQL manual's appendix on error codes.
    """
    state = exc.sqlstate
    return state is None or state.startswith(PASSING_CLASSES)


async def _together(
    connection: "psycopg.AsyncConnection[Row]", statements: Sequence[Statement]
) -> list[list[Row]]:
    if len(statements) == 1:
        name, params = statements[0]
        return [await _rows(await connection.execute(load_sql("worker", name), params))]
    return await _in_transaction(connection, statements)


async def _in_transaction(
    connection: "psycopg.AsyncConnection[Row]", statements: Sequence[Statement]
) -> list[list[Row]]:
    """All of them in one transaction. BEGIN and COMMIT travel along: psycopg's own transaction
    block would wait for an answer to each, three round trips where this takes one."""
    try:
        async with connection.pipeline():
            await connection.execute("BEGIN")
            cursors = [
                await connection.execute(load_sql("worker", name), params)
                for name, params in statements
            ]
            await connection.execute("COMMIT")
    except BaseException:
        with suppress(psycopg.Error):  # what went wrong first is what matters
            await connection.rollback()
        raise
    return [await _rows(cursor) for cursor in cursors]


async def _rows(cursor: "psycopg.AsyncCursor[Row]") -> list[Row]:
    return await cursor.fetchall() if cursor.description else []


@contextmanager
def one_connection() -> Iterator["psycopg.Connection[Row]"]:
    """The connection of a command that has no loop; every statement commits by itself."""
    set_json_dumps(dumps)
    with psycopg.connect(
        conninfo(database_url()), autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


def fetch(connection: "psycopg.Connection[Row]", name: str, **params: Any) -> list[Row]:
    """Run a statement of worker/sql; what it returns."""
    cursor = connection.execute(load_sql("worker", name), params)
    return cursor.fetchall() if cursor.description else []
