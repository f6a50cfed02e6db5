"""(j) What the journal takes of the disk under steady load, and of the loop when a long one is
replayed.

1,000 answers a second of 2 KB go into it, each settled within a second but one a minute that never
is. Then a journal that a process left is replayed into the ledger, while leases are renewed beside
it and a task that wakes every 10 ms says how long the loop stood still.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import psycopg

from benchmarks.rig import Measured, bench, connect, count, own_cpu_s, texts, until
from models.database import conninfo
from models.embedded import attach_postgres
from models.reasons import CostReason
from models.states import CallState
from worker.calls.journal import Journal
from worker.calls.ledger import CallRow, new_call_id
from worker.calls.replay import Replay
from worker.db import Database, Row
from worker.jsonb import as_json, dumps
from worker.settings import LEASE_S, RENEW_S

MEBIBYTE = 2**20
RATE = 1_000
TICK_S = 0.01
LOOK_S = 2.0
WORDS = (
    "the",
    "north",
    "plant",
    "reports",
    "a",
    "short",
    "week",
    "and",
    "long",
    "lists",
    "of",
    "parts",
)


def run(seconds: float, mebibytes: int) -> Iterator[Measured]:
    """So long a load, and a journal of that size to replay."""
    yield from asyncio.run(_load(seconds))
    with bench() as (docmill, _), connect(docmill) as database:
        docmill.run("submit", "-", "--ask", "Sum it up.", "--task", "summary", stdin=texts(1))
        with docmill.worker("ingest"):
            until(lambda: count(database, "SELECT count(*) FROM jobs") == 1)
        folder = docmill.folder / "left"
        folder.mkdir()
        _leave(database, folder, mebibytes * MEBIBYTE)
        url = conninfo(attach_postgres(docmill.folder / ".docmill"))
        yield from asyncio.run(_replay(url, folder, mebibytes))
        missed = count(database, "SELECT count(*) FROM calls WHERE state <> 'settled'")
        yield Measured("j: answers that a replay missed", missed, 0, True)


def _row(call_id: UUID) -> CallRow:
    return CallRow(
        id=call_id,
        state=CallState.SETTLED,
        model_answered="phi4-mini",
        cost_reason=CostReason.NO_MACHINE_PRICE,
        input_tokens=1_000,
        output_tokens=400,
        engine_seconds=1.5,
        latency_ms=1_600,
        finish="stop",
        request_key=uuid4(),
        answer=" ".join(random.choices(WORDS, k=360)),
    )


@dataclass
class Lateness:
    """How long the loop stood still, at worst."""

    worst_s: float = 0.0


@asynccontextmanager
async def _watched() -> AsyncIterator[Lateness]:
    seen = Lateness()

    async def watch() -> None:
        while True:
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            seen.worst_s = max(seen.worst_s, time.perf_counter() - due)

    watching = asyncio.create_task(watch())
    yield seen
    watching.cancel()


# -- steady load


async def _load(seconds: float) -> list[Measured]:
    with TemporaryDirectory(prefix="docmill-journal-") as place:
        folder = Path(place)
        journal = Journal(folder)

        async def settle(rows: Sequence[Row]) -> int:
            return len(rows)

        replaying = asyncio.create_task(_look_again(Replay(folder, settle)))
        cpu_s = own_cpu_s()
        async with _watched() as lateness:
            largest, answers = await _answer(journal, folder, seconds)
        cpu_s = own_cpu_s() - cpu_s
        replaying.cancel()
        journal.close()
    return [
        Measured(f"j: journal at {RATE:,} answers/s for {seconds:g} s", largest, 64, True, "MiB"),
        Measured("j: answers/s", answers / seconds, 0.99 * RATE),
        Measured("j: CPU of an answer, made up and journaled", 1000 * cpu_s / answers, unit="ms"),
        Measured("j: the loop stood still under load", lateness.worst_s, unit="s"),
    ]


async def _answer(journal: Journal, folder: Path, seconds: float) -> tuple[float, int]:
    """The most MiB on disk, and how many answers there were."""
    started = time.perf_counter()
    under_way: deque[tuple[float, UUID]] = deque()
    largest = answers = 0
    minute = 0.0
    while (now := time.perf_counter() - started) < seconds:
        ids = [new_call_id() for _ in range(int(now * RATE) - answers)]
        await asyncio.gather(*(journal.append(call_id, _row(call_id)) for call_id in ids))
        answers += len(ids)
        if now >= minute and ids:
            minute += 60
            ids.pop()
        under_way.extend((now, call_id) for call_id in ids)
        while under_way and under_way[0][0] < now - 0.9:
            journal.settled(iter([under_way.popleft()[1]]))
        largest = max(largest, sum(path.stat().st_size for path in _files(folder)))
        await asyncio.sleep(0.02)
    return largest / MEBIBYTE, answers


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.exists()]


async def _look_again(replay: Replay) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        await replay.look()


# -- replay


def _leave(database: "psycopg.Connection[Any]", folder: Path, size: int) -> None:
    """One file as a process without segments would have left it, and the calls that it is about."""
    with (folder / "left-000001.jsonl").open("wb") as file:
        while file.tell() < size:
            ids = [new_call_id() for _ in range(5_000)]
            file.writelines(dumps(_row(call_id)) + b"\n" for call_id in ids)
            database.execute(
                "INSERT INTO calls (id, job_id, batch_id, local_only, purpose, zone, engine, kind, "
                "host, stand_in, model_asked, owner, attempt) SELECT c, j.id, j.batch_id, "
                "j.local_only, 'run', 'local', 'local', 'ollama', 'h:1', false, 'phi4-mini', "
                "gen_random_uuid(), 1 "
                "FROM unnest(%s::uuid[]) c CROSS JOIN jobs j",
                (ids,),
            )


async def _replay(url: str, folder: Path, mebibytes: int) -> list[Measured]:
    database = Database(url)
    await database.open()
    renewals: list[float] = []

    async def settle(rows: Sequence[Row]) -> int:
        return len(await database.run("calls/settle", calls=as_json(rows)))

    async def renew() -> None:
        lease = {"stages": ["run"], "items": [1], "owner": uuid4(), "lease_s": LEASE_S}
        while True:
            started = time.perf_counter()
            await database.run("flow/renew", **lease)
            renewals.append(time.perf_counter() - started)
            await asyncio.sleep(RENEW_S / 10)

    renewing = asyncio.create_task(renew())
    started = time.perf_counter()
    async with _watched() as lateness:
        await Replay(folder, settle).look()
    took = time.perf_counter() - started
    renewing.cancel()
    await database.close()
    return [
        Measured(f"j: replay of {mebibytes:,} MiB", mebibytes / took, unit="MiB/s"),
        Measured("j: the loop stood still during replay", lateness.worst_s, 0.1, True, "s"),
        Measured("j: slowest renewal during replay", max(renewals), LEASE_S - RENEW_S, True, "s"),
    ]
