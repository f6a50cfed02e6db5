"""Makers of rows: batches, documents, chunks and jobs in Postgres, as submit and ingest leave them.

Everything has a default, a test names what matters. Triggers see to lines and counts.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from models.resolve import Surroundings, as_json, resolve
from models.words import Queue, Scope, Stage, TaskType, Zone
from worker.route import Place

Connection = psycopg.Connection[Any]

LOCAL = Place(Zone.LOCAL, "local", "m")
LOCAL_TOO = Place(Zone.LOCAL, "local", "n")
FRONTIER = Place(Zone.FRONTIER, "frontier", "m")
CLASSIFY = Queue(Stage.CLASSIFY, "local", "m")

MAX_TOKENS = 50
"""What the answer to a summary may take; with the default prices a job reserves 0.1 USD."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and its one ask."""

    id: int
    ask: int
    local_only: bool


def one(db: Connection, sql: str, *params: Any) -> tuple[Any, ...]:
    """The one row that a query finds."""
    [row] = rows(db, sql, *params)
    return row


def value(db: Connection, sql: str, *params: Any) -> Any:
    """The one value that a query finds."""
    [found] = one(db, sql, *params)
    return found


def rows(db: Connection, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """All that a query finds, as tuples whatever else the connection makes of rows."""
    with db.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(sql, params or None).fetchall()


def column(db: Connection, sql: str, *params: Any) -> list[Any]:
    """The first column of what a query finds."""
    return [row[0] for row in rows(db, sql, *params)]


def states(db: Connection, table: str = "job_states") -> dict[str, int]:
    """How many rows of a table or view are in which state."""
    return dict(rows(db, f"SELECT state, count(*) FROM {table} GROUP BY 1"))  # type: ignore[arg-type]


def add_configuration(db: Connection, **file: Any) -> int:
    """A configuration whose docmill.toml holds these tables."""
    asked = {"tasks": {"summary": {"max_tokens": MAX_TOKENS}}, **file}
    settings = as_json(resolve(asked, Surroundings(has_key=True), None))
    return value(
        db,
        "INSERT INTO configurations (file, settings) VALUES (%s, %s) RETURNING id",
        Jsonb(asked),
        Jsonb(settings),
    )


def add_batch(
    db: Connection, *, scope: Scope = Scope.CHUNK, submitted: bool = True, **columns: Any
) -> Batch:
    """A batch with one ask, complete unless said otherwise. `columns` are the batch's own."""
    known = column(db, "SELECT max(id) FROM configurations")[0]
    given = {"local_only": False, "configuration_id": known or add_configuration(db), **columns}
    names, places = ", ".join(given), ", ".join(["%s"] * len(given))
    batch, local_only = one(
        db,
        f"INSERT INTO batches ({names}, submitted_at) VALUES ({places}, "
        f"{'now()' if submitted else 'NULL'}) RETURNING id, local_only",
        *given.values(),
    )
    ask = value(
        db,
        "INSERT INTO asks (batch_id, ordinal, label, text, scope, documents) "
        "VALUES (%s, 1, 'a', 'Sum up.', %s, '{}') RETURNING id",
        batch,
        scope,
    )
    return Batch(batch, ask, local_only)


def add_unread(db: Connection, batch: Batch, number: int = 1) -> list[int]:
    """Documents that wait to be read, with their bytes."""
    return column(
        db,
        "WITH made AS (INSERT INTO documents (batch_id, path, media_type, bytes, sha256) "
        "SELECT %s, 'unread-' || n, 'text/plain', 4, '' FROM generate_series(1, %s) n "
        "RETURNING id), contents AS (INSERT INTO document_contents (document_id, data) "
        "SELECT id, 'text' FROM made) SELECT id FROM made ORDER BY id",
        batch.id,
        number,
    )


def add_read(db: Connection, batch: Batch, chunks: int, jobs: int, text: str | None) -> int:
    """A document that was read, with so many chunks. `text`: what all of them hold; None: each its
    own."""
    document = value(
        db,
        "INSERT INTO documents (batch_id, path, media_type, bytes, sha256, state, pages, "
        "jobs_total) VALUES (%s, 'read', 'text/plain', 1, '', 'ready', 1, %s) RETURNING id",
        batch.id,
        jobs,
    )
    db.execute(
        "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, "
        "tokens, text, sha256) SELECT %(d)s, n, 1, 1, n, n + 1, 1, t, "
        "sha256(convert_to(t, 'UTF8')) FROM generate_series(1, %(n)s) n "
        "CROSS JOIN LATERAL (SELECT coalesce(%(t)s, 'text ' || %(d)s || ' ' || n) AS t) s",
        {"d": document, "n": chunks, "t": text},
    )
    return document


def add_jobs(
    db: Connection,
    batch: Batch,
    number: int = 1,
    place: Place = LOCAL,
    *,
    text: str | None = None,
    task: TaskType = TaskType.SUMMARY,
) -> list[int]:
    """Jobs that are ready to run, each about a chunk of one document."""
    document = add_read(db, batch, number, number, text)
    return column(
        db,
        "INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, task, "
        "found_by, zone, engine, model, tokens) SELECT %s, %s, document_id, id, %s, 'ready', "
        "%s, 'user', %s, %s, %s, tokens FROM chunks WHERE document_id = %s ORDER BY ordinal "
        "RETURNING id",
        *(batch.id, batch.local_only, batch.ask, task),
        *(place.zone, place.engine, place.model, document),
    )


def add_pairs(
    db: Connection, batch: Batch, number: int = 1, *, text: str | None = None
) -> list[int]:
    """Jobs that wait to be classified; equal texts stand for equal asks."""
    document = add_read(db, batch, number, number, text)
    return column(
        db,
        "INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, "
        "classify_key, zone, engine, model, tokens) SELECT %s, %s, document_id, id, %s, 'pending', "
        "encode(substr(sha256, 1, 16), 'hex')::uuid, 'local', %s, %s, tokens "
        "FROM chunks WHERE document_id = %s ORDER BY ordinal RETURNING id",
        *(batch.id, batch.local_only, batch.ask, CLASSIFY.engine, CLASSIFY.model, document),
    )


def add_whole(db: Connection, batch: Batch, chunks: int = 3, place: Place = LOCAL) -> int:
    """A job about a whole document, ready to run."""
    document = add_read(db, batch, chunks, 1, None)
    return value(
        db,
        "INSERT INTO jobs (batch_id, local_only, document_id, ask_id, state, task, found_by, "
        "zone, engine, model, tokens) "
        "VALUES (%s, %s, %s, %s, 'ready', 'summary', 'user', %s, %s, %s, %s) RETURNING id",
        *(batch.id, batch.local_only, document, batch.ask),
        *(place.zone, place.engine, place.model, chunks),
    )


def make_due(db: Connection) -> None:
    """What waits for its moment need not wait any longer."""
    db.execute("UPDATE delayed SET due_at = now()")


def let_lapse(db: Connection, ids: list[int] | None = None) -> None:
    """Leases, all or those of these items, run out."""
    db.execute(
        "UPDATE leases SET until = now() - interval '1 second' "
        "WHERE %(ids)s::bigint[] IS NULL OR item_id = ANY (%(ids)s)",
        {"ids": ids},
    )
