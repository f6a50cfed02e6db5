"""The ingest stage: claims documents, reads them in child processes, writes chunks and jobs."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.config import Config
from models.errors import ReadError
from models.failure import Failure
from models.states import DocumentState, JobState
from models.words import Scope, TaskType
from worker.db import Database, Row, Statement
from worker.flow.group_commit import GATHER_S, GroupCommit
from worker.flow.stage import Held, Lease, Slot
from worker.ingest.chunk import chunk
from worker.ingest.jobs import AskRow, Ingested, ingest
from worker.jsonb import as_json
from worker.llm.gate import Gate
from worker.read.kinds import MARKDOWN, PLAIN, Text, read_document
from worker.read.sandbox import Reader
from worker.settings import LEASE_S, MICRO_BATCH

KILLERS = frozenset({"reader_crashed", "reader_memory", "reader_timeout"})
"""Failures that took a reader process down: one more try, then quarantine."""

UNPARSED = frozenset({PLAIN, MARKDOWN})

STATEMENT_CHARACTERS = 8_000_000
"""Text in one statement: Postgres refuses a jsonb array of 256 MB."""

MOST_KILLS = 2
KILL_DELAY_S = 1.0


@dataclass(frozen=True, slots=True)
class ReadOutcome:
    """A document read, or why not; neither: the worker was stopped."""

    document_id: int
    ingested: Ingested | None
    failure: Failure | None = None
    kills: int = 0


class IngestStage:
    """Reads documents; one child process per slot."""

    limited = False

    name = "ingest"
    gate: Gate | None = None

    def __init__(self, db: Database, reader: Reader, config: Config, owner: UUID) -> None:
        self._db = db
        self._reader = reader
        self._config = config
        self._owner = owner
        self._asks: dict[int, tuple[AskRow, ...]] = {}
        self._group: GroupCommit[ReadOutcome] = GroupCommit(
            self._write, most=MICRO_BATCH, gather_s=GATHER_S
        )

    async def admit(self, ids: Sequence[int]) -> list[int]:
        """All of them: no rate limit here."""
        return list(ids)

    def decline(self, ids: Sequence[int]) -> None:
        """Nothing was granted."""

    async def claim(self, ids: Sequence[int]) -> list[Held]:
        """Lease pending documents."""
        rows = await self._db.run(
            "claim_documents", ids=list(ids), owner=self._owner, lease_s=LEASE_S
        )
        for batch_id in {row["batch_id"] for row in rows} - self._asks.keys():
            asks = await self._db.run("batch_asks", batch_id=batch_id)
            self._asks[batch_id] = tuple(map(_ask, asks))
        return [Held(row["id"], row["id"], row["batch_id"], row) for row in rows]

    async def work(self, held: Held, slot: Slot) -> ReadOutcome:
        """Read one document. Never raises: a bad document is an outcome."""
        row: Row = held.payload
        try:
            async with slot:
                text = await self._read(row)
            return ReadOutcome(row["id"], await asyncio.to_thread(self._ingested, row, text))
        except ReadError as error:
            return self._failed(row, error)
        except asyncio.CancelledError:
            return ReadOutcome(row["id"], None)

    async def _read(self, row: Row) -> Text:
        """Parsers run in a child process; plain text needs none and cannot hurt this one."""
        if row["media_type"] in UNPARSED:
            return await asyncio.to_thread(self._plain, row)
        return await self._reader.read(bytes(row["data"]), row["media_type"], row["path"])

    def _plain(self, row: Row) -> Text:
        limits = self._config.limits
        return read_document(
            bytes(row["data"]),
            row["media_type"],
            row["path"],
            max_pages=limits.pages,
            max_characters=limits.characters,
        )

    def _failed(self, row: Row, error: ReadError) -> ReadOutcome:
        killer = error.category in KILLERS
        again = killer and row["kills"] + 1 < MOST_KILLS
        failure = Failure(error.category, "ingest", again, str(error))
        return ReadOutcome(row["id"], None, failure, int(killer))

    def _ingested(self, row: Row, text: Text) -> Ingested:
        return ingest(
            row["path"],
            len(text.pages),
            text.notes,
            chunk(text, self._config.chunks.tokens),
            self._asks[row["batch_id"]],
            local_only=row["local_only"],
            config=self._config,
        )

    async def finish(self, outcome: ReadOutcome) -> None:
        """Write chunks and jobs, or the failure."""
        await self._group.put(outcome)

    async def _write(self, outcomes: Sequence[ReadOutcome]) -> None:
        read = [(o.document_id, o.ingested) for o in outcomes if o.ingested is not None]
        failed = [o for o in outcomes if o.failure is not None]
        stopped = [o.document_id for o in outcomes if o.ingested is None and o.failure is None]
        statements: list[Statement] = []
        if failed:
            rows = as_json([_failure_row(outcome) for outcome in failed])
            statements.append(("fail_documents", {"rows": rows, "owner": self._owner}))
        if stopped:
            statements.append(("release_documents", {"ids": stopped, "owner": self._owner}))
        if statements:
            await self._db.run_all(statements)
        for part in _parts(read):
            await self._db.run("finish_documents", **_read_rows(part), owner=self._owner)

    async def release(self, held: Sequence[Held]) -> None:
        """Back to pending, without a trace."""
        ids = [item.lease for item in held]
        await self._db.run("release_documents", ids=ids, owner=self._owner)

    async def renew(self, leases: Collection[Lease]) -> set[Lease]:
        """Prolong leases. Raises psycopg.OperationalError when Postgres is away."""
        params = {"ids": list(leases), "owner": self._owner, "lease_s": LEASE_S}
        [rows] = await self._db.run_once([("renew_documents", params)])
        return {row["id"] for row in rows}


def _ask(row: Row) -> AskRow:
    return AskRow(
        id=row["id"],
        text=row["text"],
        json_schema=row["json_schema"],
        task=TaskType(row["task"]) if row["task"] else None,
        scope=Scope(row["scope"]),
        documents=tuple(row["documents"]),
    )


def _parts(
    read: Sequence[tuple[int, Ingested]],
) -> Iterator[list[tuple[int, Ingested]]]:
    """Documents in statements of bounded size, one document at least."""
    part: list[tuple[int, Ingested]] = []
    size = 0
    for one in read:
        more = sum(len(chunk["text"]) for chunk in one[1].chunks)
        if part and size + more > STATEMENT_CHARACTERS:
            yield part
            part, size = [], 0
        part.append(one)
        size += more
    if part:
        yield part


def _read_rows(read: Sequence[tuple[int, Ingested]]) -> dict[str, Any]:
    """The parameters of finish_documents.sql."""
    return {
        "documents": as_json([_document_row(*one) for one in read]),
        "chunks": as_json([{**row, "document_id": n} for n, made in read for row in made.chunks]),
        "jobs": as_json([{**row, "document_id": n} for n, made in read for row in made.jobs]),
    }


def _document_row(document_id: int, made: Ingested) -> dict[str, Any]:
    return {
        "id": document_id,
        "state": made.state,
        "pages": made.pages,
        "language": made.language,
        "notes": made.notes,
        "jobs_total": len(made.jobs),
        "jobs_finished": sum(job["state"] == JobState.SKIPPED for job in made.jobs),
    }


def _failure_row(outcome: ReadOutcome) -> dict[str, Any]:
    failure = outcome.failure
    assert failure is not None
    return {
        "id": outcome.document_id,
        "state": DocumentState.PENDING if failure.retryable else DocumentState.FAILED,
        "kills": outcome.kills,
        "delay_s": KILL_DELAY_S if failure.retryable else None,
        "error": failure.as_json(),
    }
