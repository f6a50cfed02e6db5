"""(h) What a statement costs as the tables grow: the same at ten thousand jobs and at five million.

The tables are seeded by SQL, behind the triggers' back. Then the workers' and the commands' own
statements run on them: a tick of the leader with all that is ever due, a claim of 32 jobs, the
end of 32 jobs, the look whether batches are over, and the status of a batch.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from benchmarks.rig import Measured, bench
from models.embedded import attach_postgres
from models.sql import load_sql
from tests.rows import FRONTIER, Batch, add_batch
from tests.statements import Worker, run, run_producer
from worker.db import BY_KEY, Row, settle_in
from worker.flow.housekeeping import House
from worker.flow.leader import LOSES_LITTLE
from worker.run.outcome import Done, Turn

Connection = psycopg.Connection[Any]

BATCH_OF = 32
SAMPLES, WARM_UP = 45, 5
"""Of what comes after the warm-up the lower quartile counts: others use the machine, too."""

MOST = 1.5
"""From the smallest to the largest."""


@dataclass(frozen=True)
class Size:
    """How full the tables are."""

    jobs: int
    batches: int
    calls: int

    def __str__(self) -> str:
        return f"{self.jobs:,} jobs, {self.batches} batches, {self.calls:,} calls"


SMALLEST = Size(10_000, 1, 0)
SIZES = {
    "waiting jobs": (Size(1_000_000, 1, 0), Size(5_000_000, 1, 0)),
    "open batches": (Size(10_000, 100, 0), Size(10_000, 500, 0)),
    "ledger rows": (Size(10_000, 1, 1_000_000),),
    "all of it": (Size(5_000_000, 500, 1_000_000),),
}
TINY = {"all of it": (Size(4_000, 5, 1_000),)}
TINIEST = Size(2_000, 1, 0)


def run_sizes(
    sizes: Mapping[str, tuple[Size, ...]] = SIZES, smallest: Size = SMALLEST
) -> Iterator[Measured]:
    """Each axis against the smallest size, every one in a database of its own."""
    base = _measured(smallest)
    yield from _figures(smallest, base)
    for axis, larger in sizes.items():
        found = {size: _measured(size) for size in larger}
        for size, times in found.items():
            yield from _figures(size, times)
        for what in base:
            worst = max(times[what] / base[what] for times in found.values())
            yield Measured(f"h: {what}, more {axis}", worst, MOST, True, "x")


def _figures(size: Size, times: dict[str, float]) -> Iterator[Measured]:
    for what, seconds in times.items():
        yield Measured(f"h: {what} at {size}", seconds * 1000, unit="ms")


def _measured(size: Size) -> dict[str, float]:
    """The time of each, in seconds."""
    with bench() as (docmill, _):
        docmill.run("list")  # which makes the tables
        url = attach_postgres(docmill.folder / ".docmill")
        with (
            psycopg.connect(url, autocommit=True) as db,
            psycopg.connect(url, autocommit=True, prepare_threshold=None) as reader,
        ):
            batches = seed(db, size)
            db.execute(BY_KEY)
            tick = asyncio.run(_ticks(url))
            claims, ends = _claims(db)
            return {
                "a tick of the leader": tick,
                f"a claim of {BATCH_OF}": claims,
                f"the end of {BATCH_OF}": ends,
                "a look whether a batch is over": _often(lambda: _close(db, batches[0])),
                "status": _often(lambda: _status(reader, batches[0])),
            }


def _often(act: Callable[[], object]) -> float:
    return _later([_timed(act) for _ in range(SAMPLES)])


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _later(times: list[float]) -> float:
    return statistics.quantiles(times[WARM_UP:], n=4)[0]


# -- what is timed


async def _ticks(url: str) -> float:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row)
    await settle_in(connection)
    await connection.execute(LOSES_LITTLE)

    async def go(name: str, **params: Any) -> list[Row]:
        cursor = await connection.execute(load_sql("worker", name), params)
        return await cursor.fetchall() if cursor.description else []

    times = []
    for _ in range(SAMPLES):
        started = time.perf_counter()
        await House(go, was_away=False).keep()
        await go("flow/waiting_queues")
        times.append(time.perf_counter() - started)
    await connection.close()
    return _later(times)


def _claims(db: Connection) -> tuple[float, float]:
    """Jobs are taken and ended as a frontier worker does it, each with its call."""
    claims, ends = [], []
    for _ in range(SAMPLES):
        worker = Worker(db)
        started = time.perf_counter()
        claimed = worker.claim(FRONTIER, BATCH_OF)
        claims.append(time.perf_counter() - started)
        assert len(claimed.calls) == BATCH_OF
        ends.append(_timed(lambda claimed=claimed, worker=worker: _end(worker, claimed.rows)))  # type: ignore[misc]
    return _later(claims), _later(ends)


def _end(worker: Worker, rows: dict[int, Row]) -> None:
    with worker.db.transaction():
        worker.settle(*(_settled(row["call_id"]) for row in rows.values()))
        worker.finish(
            *(
                Turn(job, row["batch_id"], Done({"a": 1}, None, None, row["call_id"]))
                for job, row in rows.items()
            )
        )


def _settled(call: UUID) -> Row:
    return {"id": call, "state": "settled", "cost_usd": "0.001", "input_tokens": 9, "answer": "{}"}


def _close(db: Connection, batch: Batch) -> None:
    run(db, "flow/close_batches", ids=[batch.id])


def _status(db: Connection, batch: Batch) -> None:
    for name in ("status", "stages", "failures", "held", "troubles"):
        run_producer(db, name, batch=batch.id)


# -- seeding


def seed(db: Connection, size: Size) -> list[Batch]:
    """Batches with as many jobs and calls as that, ready to be asked of the frontier."""
    batches = [add_batch(db, max_cost_usd=1_000_000) for _ in range(size.batches)]
    db.execute("SET session_replication_role = replica")
    for batch in batches:
        params = {
            "batch": batch.id,
            "ask": batch.ask,
            "documents": size.jobs // size.batches // 10,
            "calls": size.calls // size.batches,
        }
        for statement in SEED:
            db.execute(statement, params)
    db.execute("RESET session_replication_role")
    db.execute("VACUUM ANALYZE")
    return batches


SEED = (
    "INSERT INTO documents (batch_id, path, media_type, bytes, sha256, state, jobs_total) "
    "SELECT %(batch)s, 'd' || n, 'text/plain', 1, '', 'ready', 10 "
    "FROM generate_series(1, %(documents)s) n",
    "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, tokens, "
    "text, sha256) SELECT d.id, n, 1, 1, n, n + 1, 1, 'text', sha256((d.id || ' ' || n)::bytea) "
    "FROM documents d CROSS JOIN generate_series(1, 10) n WHERE batch_id = %(batch)s",
    "INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, task, found_by, "
    "zone, engine, model, tokens) SELECT %(batch)s, false, d.id, k.id, %(ask)s, 'ready', "
    "'summary', 'user', 'frontier', 'frontier', 'm', 1 "
    "FROM documents d JOIN chunks k ON k.document_id = d.id WHERE batch_id = %(batch)s",
    "INSERT INTO lines (batch_id, queue, stage, zone, engine, model, priority, open) "
    "VALUES (%(batch)s, 'frontier/m', 'run', 'frontier', 'frontier', 'm', 0, true)",
    "INSERT INTO waiting (line_id, item_id) SELECT l.id, j.id FROM lines l "
    "JOIN documents d ON d.batch_id = l.batch_id JOIN jobs j ON j.document_id = d.id "
    "WHERE l.batch_id = %(batch)s",
    "INSERT INTO counts (batch_id, what, state, queue, n, folded) VALUES "
    "(%(batch)s, 'job', 'ready', 'frontier/m', %(documents)s * 10, true), "
    "(%(batch)s, 'document', 'ready', '', %(documents)s, true)",
    "INSERT INTO calls (id, batch_id, local_only, purpose, task, zone, engine, kind, host, "
    "stand_in, model_asked, owner, attempt, state, cost_usd) "
    "SELECT docmill_call_id(now() - random() * interval '1 hour'), %(batch)s, false, 'run', "
    "'summary', 'frontier', 'frontier', 'openai', 'h:1', false, 'm', gen_random_uuid(), 1, "
    "'settled', 0.001 FROM generate_series(1, %(calls)s)",
    "INSERT INTO spend (batch_id, day, zone, usd, known_usd, under_way, calls, unknown, lost, "
    "folded) SELECT %(batch)s, (now() AT TIME ZONE 'UTC')::date, 'frontier', 0.001 * %(calls)s, "
    "0.001 * %(calls)s, 0, %(calls)s, 0, 0, true",
)
