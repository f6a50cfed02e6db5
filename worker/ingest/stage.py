"""The ingest stage: claims documents, reads them in child processes, writes chunks and jobs."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from models.errors import ReadError
from models.examples import from_json
from models.failure import Failure
from models.kinds import MARKDOWN, PLAIN
from models.states import REFUSED_DOCUMENTS, DocumentState, JobState
from models.words import Queue, Scope, Stage, TaskType
from worker.classify.models import recent_models
from worker.configs import Configs
from worker.db import Database, Row, Statement
from worker.flow.group_commit import GATHER_S, GroupCommit
from worker.flow.slots import ReaderSlots
from worker.flow.stage import Claimed, Held, Lease, Slot, put_back
from worker.ingest.chunk import chunk
from worker.ingest.jobs import LOOKED_AT, AskRow, Ingested, asked_models, ingest
from worker.ingest.language import language
from worker.jsonb import as_json
from worker.log import logger
from worker.rates import RateBook
from worker.read.kinds import NotNow, Text, read_document, scanned_page
from worker.read.scans import DocumentReader
from worker.recent import KEPT, Recent
from worker.settings import LEASE_S, MAX_DOCUMENT_KILLS, MICRO_BATCH

KILLERS = frozenset(
    {"reader_crashed", "reader_memory", "reader_timeout", "engine_died", "internal_error"}
)
"""Failures that took down a reader process, an engine, or us: one more try, then quarantine."""

UNPARSED = frozenset({PLAIN, MARKDOWN})
UNPARSED_BYTES = 1_048_576
"""Text up to here cannot hurt this process; and a child costs more than reading a line of JSONL."""

TOGETHER_BYTES = 16_384
"""Texts up to here are cut up together: to go to a thread and back takes longer than a row does."""

MOST_WRITTEN = 4 * MICRO_BATCH
"""Documents in one statement."""

MOST_UNWRITTEN = 2 * MOST_WRITTEN
"""Short texts that were cut up and wait to be written."""

STATEMENT_CHARACTERS = 8_000_000
"""Text in one statement: Postgres refuses a jsonb array of 256 MB."""

KILL_DELAY_S = 1.0

AWAY_DELAY_S = 30.0
"""Until pages are looked at again whose engine was away. Its gate keeps calls off until then."""


@dataclass(frozen=True, slots=True)
class ReadOutcome:
    """A document read, or why not; neither: the worker was stopped."""

    document_id: int
    ingested: Ingested | None
    failure: Failure | None = None
    kills: int = 0


@dataclass(slots=True)
class _Short:
    """A short text, and what has come of it."""

    row: Row
    outcome: ReadOutcome | None = None


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages of a document that OCR has read, in Postgres."""

    db: Database
    document: int
    owner: UUID

    async def known(self) -> dict[int, Text]:
        rows = await self.db.run("ingest/scanned_pages", id=self.document)
        return {row["page"]: scanned_page(row["text"], row["notes"]) for row in rows}

    async def keep(self, page: int, text: Text) -> None:
        kept = {"page": page, "text": None if text.gaps else text.whole, "notes": list(text.notes)}
        await self.db.run("ingest/keep_page", id=self.document, owner=self.owner, **kept)


class IngestStage:
    """Reads documents; one child process per slot."""

    def __init__(
        self,
        db: Database,
        reader: DocumentReader,
        configs: Configs,
        owner: UUID,
        rates: RateBook,
        slots: ReaderSlots,
    ) -> None:
        self._slots = slots
        self._db = db
        self._reader = reader
        self._configs = configs
        self._owner = owner
        self._rates = rates
        self._asked: dict[tuple[int, int, str | None], frozenset[str]] = {}
        self._asks: Recent[int, tuple[AskRow, ...]] = Recent(self._load_asks)
        self._learned = recent_models(db)
        self._short: GroupCommit[_Short] = GroupCommit(self._cut_up, most=MICRO_BATCH)
        self._group: GroupCommit[ReadOutcome] = GroupCommit(
            self._write, most=MOST_WRITTEN, gather_s=GATHER_S
        )

    async def claim(self, queue: Queue, claim: UUID, most: int) -> Claimed:
        """Lease documents that wait to be read. Of those that need a reader no more than readers
        hold: another worker may have some that are free."""
        shared = {"claim": claim, "owner": self._owner}
        take = {"queue": queue.name, "stage": Stage.INGEST, "most": most, "lease_s": LEASE_S}
        texts = {"texts": list(UNPARSED), "most_bytes": UNPARSED_BYTES}
        taken, rows = await self._db.run_each(
            [("flow/take", {**shared, **take}), ("ingest/claim", {**shared, **texts})]
        )
        others = [row for row in rows if not row["is_text"]]
        self._slots.came(len(rows) - len(others), len(others))
        if too_many := [row["id"] for row in others[2 * self._slots.size :]]:
            await self._db.run_all([put_back(Stage.INGEST, too_many, self._owner)])
            rows = [row for row in rows if row["id"] not in too_many]
        asks = await self._asks.of({row["batch_id"] for row in rows})
        learned = await self._learned.of({row["learned_model"] for row in rows})
        held = [
            Held(
                Lease(Stage.INGEST, row["id"], claim),
                row["line_id"],
                {
                    **row,
                    "asks": asks[row["batch_id"]],
                    "learned": learned[row["learned_model"]],
                    "config": await self._configs.of(row["configuration_id"]),
                },
            )
            for row in rows
        ]
        return Claimed(len(taken), held)

    async def _load_asks(self, batches: Sequence[int]) -> dict[int, tuple[AskRow, ...]]:
        return {
            batch: tuple(map(_ask, await self._db.run("ingest/asks", batch_id=batch)))
            for batch in batches
        }

    async def work(self, held: Held, slot: Slot) -> ReadOutcome:
        """Read one document. Never raises: a bad document is an outcome."""
        row: Row = held.payload
        try:
            if row["is_text"] and len(row["data"]) <= TOGETHER_BYTES:
                short = _Short(row)
                await self._short.put(short)
                return short.outcome or ReadOutcome(row["id"], None)
            async with slot:
                if row["is_text"]:
                    return await asyncio.to_thread(self._outcome, row, self._of_text)
                text = await self._read(row)
            if text is None:
                return ReadOutcome(row["id"], None)
            return await asyncio.to_thread(self._outcome, row, lambda _: self._ingested(row, text))
        except asyncio.CancelledError:
            return ReadOutcome(row["id"], None)
        except Exception as exc:
            return self._fault(row, exc)

    async def _cut_up(self, shorts: Sequence[_Short]) -> None:
        await self._group.fewer_than(MOST_UNWRITTEN)
        await asyncio.to_thread(self._cut_up_all, shorts)

    def _cut_up_all(self, shorts: Sequence[_Short]) -> None:
        for short in shorts:
            short.outcome = self._outcome(short.row, self._of_text)

    def _outcome(self, row: Row, made: Callable[[Row], Ingested]) -> ReadOutcome:
        try:
            return ReadOutcome(row["id"], made(row))
        except Exception as exc:
            return self._fault(row, exc)

    async def _read(self, row: Row) -> Text | None:
        """By a child process; None where the document has gone."""
        found = await self._db.run("ingest/contents", id=row["id"])
        if not found:
            return None
        kept, data = _Pages(self._db, row["id"], self._owner), bytes(found[0]["data"])
        return await self._reader.read(data, row["media_type"], row["path"], kept)

    def _of_text(self, row: Row) -> Ingested:
        """Short plain text needs no child process."""
        limits = row["config"].limits
        text = read_document(
            bytes(row["data"]),
            row["media_type"],
            row["path"],
            max_pages=limits.pages,
            max_characters=limits.characters,
        )
        return self._ingested(row, text)

    def _fault(self, row: Row, exc: Exception) -> ReadOutcome:
        """Of the document; or a fault of ours: one more try, then quarantine."""
        if isinstance(exc, ReadError):
            return self._failed(row, exc)
        logger().error("internal error", document=row["id"], exc_info=exc)
        said = f"{type(exc).__name__}: {exc}"[:500]
        return self._failed(row, ReadError("internal_error", said))

    def _failed(self, row: Row, error: ReadError) -> ReadOutcome:
        killer = error.category in KILLERS
        dangerous = killer and row["kills"] + 1 >= MAX_DOCUMENT_KILLS
        again = (killer or isinstance(error, NotNow)) and not dangerous
        failure = Failure(error.category, "ingest", again, str(error))
        return ReadOutcome(row["id"], None, failure, int(killer))

    def _ingested(self, row: Row, text: Text) -> Ingested:
        return ingest(
            row["path"],
            text,
            chunk(text, row["config"].chunks.tokens, self._rates.cut(self._models(row, text))),
            row["asks"],
            local_only=row["local_only"],
            config=row["config"],
            learned=row["learned"],
            allow_provider_batch=row["allow_provider_batch"],
        )

    def _models(self, row: Row, text: Text) -> frozenset[str]:
        """What a document is cut for; the same for all of a batch in one language."""
        spoken = language(text.whole[:LOOKED_AT])
        key = row["batch_id"], row["configuration_id"], spoken
        models = self._asked.get(key)  # other threads may clear them
        if models is None:
            if len(self._asked) >= KEPT:
                self._asked.clear()
            models = self._asked[key] = asked_models(
                row["asks"],
                spoken,
                local_only=row["local_only"],
                config=row["config"],
                learned=row["learned"],
            )
        return models

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
            statements.append(("ingest/fail", {"rows": rows, "owner": self._owner}))
        if stopped:
            statements.append(put_back(Stage.INGEST, stopped, self._owner))
        if statements:
            await self._db.run_all(statements)
        for part in _parts(read):
            await self._db.run("ingest/finish", **_read_rows(part), owner=self._owner)

    def refused(self, outcome: ReadOutcome, exc: Exception) -> ReadOutcome:
        """The document has failed."""
        said = f"Postgres refuses its text: {type(exc).__name__}"
        return ReadOutcome(
            outcome.document_id, None, Failure("internal_error", "ingest", False, said)
        )

    async def release(self, held: Sequence[Held]) -> None:
        """Back in line, without a trace."""
        await self._db.run_all(
            [put_back(Stage.INGEST, [item.lease.item for item in held], self._owner)]
        )


def _ask(row: Row) -> AskRow:
    return AskRow(
        id=row["id"],
        text=row["text"],
        json_schema=row["json_schema"],
        task=TaskType(row["task"]) if row["task"] else None,
        scope=Scope(row["scope"]),
        documents=tuple(row["documents"]),
        place=row["place"],
        examples=from_json(row["examples"]),
        prompt=row["prompt"],
    )


def _parts(
    read: Sequence[tuple[int, Ingested]],
) -> Iterator[list[tuple[int, Ingested]]]:
    """Documents in statements of bounded size, one document at least."""
    part: list[tuple[int, Ingested]] = []
    size = 0
    for one in read:
        more = sum(len(chunk["text"]) for chunk in one[1].chunks)
        more += sum(len(page.words) for page in one[1].boxes)
        if part and size + more > STATEMENT_CHARACTERS:
            yield part
            part, size = [], 0
        part.append(one)
        size += more
    if part:
        yield part


def _read_rows(read: Sequence[tuple[int, Ingested]]) -> dict[str, Any]:
    """The parameters of ingest/finish.sql."""
    return {
        "documents": as_json([_document_row(*one) for one in read]),
        "chunks": as_json([{**row, "document_id": n} for n, made in read for row in made.chunks]),
        "boxes": as_json(
            [{**asdict(row), "document_id": n} for n, made in read for row in made.boxes]
        ),
        "jobs": as_json([{**row, "document_id": n} for n, made in read for row in made.jobs]),
    }


def _document_row(document_id: int, made: Ingested) -> dict[str, Any]:
    return {
        "id": document_id,
        "state": made.state,
        "pages": made.pages,
        "language": made.language,
        "notes": made.notes,
        "missing": [asdict(gap) for gap in made.missing] or None,
        "error": made.skipped.as_json() if made.skipped else None,
        "jobs_total": len(made.jobs),
        "jobs_finished": sum(job["state"] == JobState.SKIPPED for job in made.jobs),
    }


def _end(category: str) -> DocumentState:
    """What becomes of a document that was not read for this reason."""
    refused = category in REFUSED_DOCUMENTS
    return DocumentState(category) if refused else DocumentState.FAILED


def _delay_s(failure: Failure) -> float:
    return KILL_DELAY_S if failure.category in KILLERS else AWAY_DELAY_S


def _failure_row(outcome: ReadOutcome) -> dict[str, Any]:
    failure = outcome.failure
    assert failure is not None
    return {
        "id": outcome.document_id,
        "state": DocumentState.PENDING if failure.retryable else _end(failure.category),
        "kills": outcome.kills,
        "delay_s": _delay_s(failure) if failure.retryable else None,
        "error": failure.as_json(),
    }
