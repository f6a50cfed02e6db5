"""Submit: one transaction makes the batch, its asks and its documents; hints go out after it."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import psycopg
import redis
from psycopg.types.json import Json

from models.database import ready_engine
from models.errors import DocmillError
from models.queue import KombuError, redis_client, redis_url, send_hint
from models.spec import Spec
from models.words import Policy, Queue
from producer.sources import Accepted, Refused, Source

BLOCK = 256
"""Documents per COPY: bounds the memory of a submit, whatever its size."""

BLOCK_BYTES = 64 * 1_048_576
FIRST_HINTS, HINTS_PER_MESSAGE = 64, 8
"""Hints that submit sends itself, so that work starts at once; the feeder sends the others."""


@dataclass(slots=True)
class Submitted:
    """What became of a submit. `batch` is None when every document was refused."""

    batch: int | None
    documents: int
    refused: list[Refused] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The object that `submit --json` prints."""
        return {
            "batch": self.batch,
            "documents": self.documents,
            "refused": [asdict(refused) for refused in self.refused],
        }


def submit(spec: Spec, sources: Iterable[Source]) -> Submitted:
    """Store a batch. All of it is there when this returns, or nothing.

    Raises ServiceAway when Postgres cannot be reached, ConfigError for a wrong URL.
    """
    redis_url()  # a wrong one is said before anything is stored
    raw = ready_engine().raw_connection()
    try:
        connection = raw.driver_connection
        assert isinstance(connection, psycopg.Connection)
        result, ids = _store(connection, spec, iter(sources))
        if result.batch is None:
            raw.rollback()
        else:
            raw.commit()
            _hint(ids)
    finally:
        raw.close()
    return result


def _store(
    connection: "psycopg.Connection[Any]", spec: Spec, sources: Iterator[Source]
) -> tuple[Submitted, list[int]]:
    result = Submitted(None, 0)
    first_ids: list[int] = []
    with connection.cursor() as cursor:
        batch = _insert_batch(cursor, spec)
        for block in _blocks(sources, result.refused):
            ids = _copy_documents(cursor, batch, block)
            first_ids += ids[: FIRST_HINTS - len(first_ids)]
            result.documents += len(block)
    if result.documents:
        result.batch = batch
    return result, first_ids


def _blocks(sources: Iterator[Source], refused: list[Refused]) -> Iterator[list[Accepted]]:
    block: list[Accepted] = []
    size = 0
    for source in sources:
        if isinstance(source, Refused):
            refused.append(source)
            continue
        block.append(source)
        size += len(source.data)
        if len(block) == BLOCK or size > BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _insert_batch(cursor: "psycopg.Cursor[Any]", spec: Spec) -> int:
    cursor.execute(
        "INSERT INTO batches (name, local_only, priority, max_cost_usd, reuse) "
        "VALUES (%s, %s, %s, %s, %s) RETURNING id",
        (spec.name, spec.policy is Policy.LOCAL_ONLY, spec.priority, spec.max_cost, spec.reuse),
    )
    row = cursor.fetchone()
    assert row is not None
    batch = int(row[0])
    cursor.executemany(
        "INSERT INTO asks (batch_id, ordinal, label, text, json_schema, task, scope, documents) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                batch,
                ordinal,
                ask.label,
                ask.text,
                Json(ask.answer_schema) if ask.answer_schema is not None else None,
                ask.task,
                ask.scope,
                list(ask.documents),
            )
            for ordinal, ask in enumerate(spec.asks, start=1)
        ],
    )
    return batch


def _copy_documents(cursor: "psycopg.Cursor[Any]", batch: int, block: list[Accepted]) -> list[int]:
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence('documents', 'id')) FROM generate_series(1, %s)",
        (len(block),),
    )
    ids = [int(row[0]) for row in cursor.fetchall()]
    with cursor.copy(
        "COPY documents (id, batch_id, path, media_type, bytes, sha256) FROM STDIN"
    ) as copy:
        for document_id, document in zip(ids, block, strict=True):
            digest = hashlib.sha256(document.data).digest()
            copy.write_row(
                (
                    document_id,
                    batch,
                    _storable(document.path),
                    document.media_type,
                    len(document.data),
                    digest,
                )
            )
    with cursor.copy("COPY document_contents (document_id, data) FROM STDIN") as copy:
        for document_id, document in zip(ids, block, strict=True):
            copy.write_row((document_id, document.data))
    return ids


def _storable(path: str) -> str:
    """File names may hold bytes that are no text; Postgres takes text only."""
    return path.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def _hint(ids: list[int]) -> None:
    """Wake the readers. Redis may be away: the feeder sends the same hints when it is back."""
    remaining = iter(ids)
    with suppress(redis.RedisError, OSError, DocmillError, KombuError):
        if redis_client().llen(Queue.INGEST):
            return  # others are waiting: who is next is the feeder's decision
        while message := list(islice(remaining, HINTS_PER_MESSAGE)):
            send_hint(Queue.INGEST, message)
