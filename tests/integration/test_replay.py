"""Journals replayed into a real ledger: a bad row, file or process takes no other along."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.commands import ROOT, Docmill
from tests.rows import add_batch, add_jobs, let_lapse, one, rows, states
from tests.statements import Worker, reap
from tests.stubs.process import stub_process
from worker.calls.ledger import CallRow, CallState
from worker.calls.replay import Replay, Row
from worker.db import Database
from worker.jsonb import dumps
from worker.persist import settle_calls
from worker.run.outcome import Done, Turn

Connection = psycopg.Connection[tuple[Any, ...]]

TOO_LARGE = [2**31, 2**32 - 1, 2**63, 2**70, 1e300]
"""Counts of tokens that Postgres cannot hold."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "journal"
    made.mkdir()
    return made


@pytest.fixture
async def replay(database_url: str, folder: Path) -> AsyncIterator[Replay]:
    database = Database(database_url)
    await database.open()

    yield Replay(folder, partial(settle_calls, database))
    await database.close()


def settled(call: UUID) -> Row:
    """What a journal holds of a call."""
    row = CallRow(
        call,
        CallState.SETTLED,
        input_tokens=7,
        output_tokens=3,
        answer="{}",
        finish="stop",
        request_key=call,
    )
    return asdict(row)


def lost_calls(db: Connection, number: int) -> list[UUID]:
    """Calls of a worker that died with them."""
    add_jobs(db, add_batch(db), number)
    calls = list(Worker(db).claim(most=number).calls.values())
    let_lapse(db)
    reap(db)
    return calls


def abandon(folder: Path, told: list[Row], name: str = "a") -> Path:
    path = folder / f"{name}-000001.jsonl"
    path.write_bytes(b"".join(dumps(row) + b"\n" for row in told))
    return path


def with_tokens(call: UUID, tokens: float) -> Row:
    return {**settled(call), "output_tokens": tokens}


async def test_rows_that_postgres_refuses_keep_no_other_answer_from_being_used(
    db: Connection, folder: Path, replay: Replay
) -> None:
    calls = lost_calls(db, 250)
    told = [settled(call) for call in calls]
    wrong = [
        with_tokens(call, tokens) for call, tokens in zip(calls[7::50], TOO_LARGE, strict=True)
    ]
    told[7::50] = wrong
    told += [{"id": "no uuid"}, {"id": None}, {}]
    abandon(folder, told)
    await replay.look()
    assert states(db, "calls") == {"settled": 245, "lost": 5}
    [bad] = folder.iterdir()
    aside = [json.loads(line) for line in bad.read_bytes().splitlines()]
    assert [row["id"] for row in aside] == [*(str(row["id"]) for row in wrong), "no uuid"]


async def test_a_row_that_lacks_its_right_or_table_is_kept_until_that_is_mended(
    db: Connection, folder: Path, replay: Replay
) -> None:
    add_jobs(db, add_batch(db))
    [call] = Worker(db).claim().calls.values()
    path = abandon(folder, [settled(call)])
    db.execute("ALTER TABLE calls RENAME TO calls_elsewhere")
    await replay.look()
    assert list(folder.iterdir()) == [path]
    db.execute("ALTER TABLE calls_elsewhere RENAME TO calls")
    await replay.look()
    assert list(folder.iterdir()) == []
    assert states(db, "calls") == {"settled": 1}


async def test_an_answer_replayed_while_its_turn_goes_on_counts_once(
    db: Connection, folder: Path, replay: Replay
) -> None:
    """It was late: the turn had more to ask."""
    batch, worker = add_batch(db), Worker(db)
    [job] = add_jobs(db, batch)
    call = worker.claim().calls[job]
    abandon(folder, [settled(call)])
    await replay.look()
    assert (states(db), states(db, "calls")) == ({"running": 1}, {"settled": 1})
    done = Done({"summary": "short"}, None, None, call)
    worker.finish(Turn(job, batch.id, done, [CallRow(**settled(call))]))
    assert (states(db), states(db, "calls")) == ({"done": 1}, {"settled": 1})
    assert one(db, "SELECT sum(input_tokens) FROM calls") == (7,)
    assert rows(db, "SELECT job_id, call_id FROM answers") == [(job, call)]


KEEPS_SEGMENTS = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from worker.calls import journal
journal.SEGMENT_BYTES = 1000

async def main():
    kept = journal.Journal(Path(sys.argv[1]))
    for n in range(20):
        await kept.append(UUID(int=n), {"n": n, "answer": "x" * 400})
    print("kept", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_every_segment_is_its_process_as_long_as_it_lives_and_free_once_it_is_killed(
    folder: Path,
) -> None:
    seen: list[int] = []

    async def settle(rows: Any) -> int:
        seen.extend(row["n"] for row in rows)
        return len(rows)

    command = [sys.executable, "-c", KEEPS_SEGMENTS, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "kept\n"
        await Replay(folder, settle).look()
        assert seen == []
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert len(list(folder.iterdir())) > 5
    await Replay(folder, settle).look()
    assert seen == list(range(20))
    assert list(folder.iterdir()) == []


def test_a_worker_starts_and_uses_what_it_can_whatever_it_finds_in_the_journals(
    db: Connection, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    calls = lost_calls(db, 4)
    db.execute("UPDATE batches SET state = 'paused'")
    folder = tmp_path / ".docmill" / "journal"
    folder.mkdir(parents=True)
    abandon(folder, [with_tokens(calls[0], 2**32 - 1), *(settled(call) for call in calls[1:])], "b")
    (folder / "a-000001.jsonl").mkdir()
    with stub_process("ollama", "--models", "phi4-mini") as engine:
        places = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": engine.url}
        with Docmill(tmp_path, places).worker("local") as worker:
            assert states(db, "calls") == {"settled": 3, "lost": 1}
    said = [json.loads(line) for line in worker.said().splitlines() if line.startswith("{")]
    [unread] = [line for line in said if line.get("why") == "Is a directory"]
    assert unread["path"] == str(folder / "a-000001.jsonl")
    [refused] = [line for line in said if line.get("path") == str(folder / "b-000001.bad")]
    assert "out of range" in refused["why"]
