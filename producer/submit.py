"""Submit: the batch first, then its documents block by block, each visible and at work at once.

A submit that is cut off leaves a batch that has what was stored by then; `--resume` goes on with
the same documents where it stopped.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

import psycopg
import redis
from psycopg.types.json import Json

from models.configuration import applied
from models.database import Connection, ready_connection
from models.errors import DocmillError, InputError, NotFound
from models.examples import Nearest, as_json
from models.queue import KombuError, depths, redis_url, ring
from models.resolve import refuse_places
from models.scores import Acceptance
from models.spec import Ask, Spec
from models.states import BatchState
from models.words import INGEST, Policy
from producer.gold import refuse_examples
from producer.places import BROKE_OFF, Refused
from producer.prompts import refuse_prompts
from producer.query import acceptance_of
from producer.sentences import left_by_watch
from producer.sources import Accepted, Source
from producer.watch.rows import watch_of

BLOCK = 256
"""Documents per block: each is a transaction, and bounds the memory of a submit."""

BLOCK_BYTES = 64 * 1_048_576

ENOUGH = 8
"""Messages in the queue that wake readers enough."""


@dataclass(slots=True)
class Submitted:
    """What became of a submit. `batch` is None when every document was refused."""

    batch: int | None
    documents: int
    refused: list[Refused] = field(default_factory=list)
    locked: int = 0
    """Documents that need a password which was not among those that were given."""
    accept: Acceptance | None = None
    """What of its values is accepted, and what to expect for review."""

    @property
    def broke_off(self) -> bool:
        """Whether a list ended too early: the batch waits for its rest then, as one whose submit
        was cut off."""
        return bool(self.refused) and self.refused[-1].category == BROKE_OFF

    def as_json(self) -> dict[str, Any]:
        """The object that `submit --json` prints."""
        return {
            "batch": self.batch,
            "documents": self.documents,
            "refused": [asdict(refused) for refused in self.refused],
            "accept": self.accept and asdict(self.accept),
        }


def _ignore(_: Submitted) -> None:
    """Nobody wants to hear of it."""


Unlock = Callable[[str, bytes], bytes]
"""What is stored of a file of this media type: producer/unlock.py."""


def _as_it_is(_: str, data: bytes) -> bytes:
    return data


Note = Callable[["psycopg.Cursor[Any]", int], None]
"""Told of a batch in the transaction of each of its blocks: what it writes stands as they do."""


def _note_nothing(_: "psycopg.Cursor[Any]", __: int) -> None:
    """Nothing else has to be known."""


def submit(
    spec: Spec,
    sources: Iterable[Source],
    stored: Callable[[Submitted], None] = _ignore,
    unlock: Unlock = _as_it_is,
    note: Note = _note_nothing,
) -> Submitted:
    """Store a batch; `stored` is told after each block how far it is. Raises ServiceAway when
    Postgres cannot be reached, ConfigError for a wrong URL or docmill.toml, InputError where an ask
    names a model that cannot answer it."""
    redis_url()  # a wrong one is said before anything is stored
    configuration = applied()
    refuse_places((ask.place for ask in spec.asks), configuration.config)
    refuse_prompts((ask.task, ask.prompt) for ask in spec.asks)
    for ask in spec.asks:
        if isinstance(ask.examples, Nearest):
            refuse_examples(ask.examples.gold, ask.text)
    result = Submitted(None, 0, accept=acceptance_of(spec.accept.error if spec.accept else None))
    with ready_connection() as connection:
        for block in _blocks(iter(sources), result.refused):
            with connection.transaction(), connection.cursor() as cursor:
                if result.batch is None:
                    result.batch = _insert_batch(cursor, spec, configuration.number)
                _copy_documents(cursor, result.batch, block, unlock)
                note(cursor, result.batch)
            result.documents += len(block)
            stored(result)
            _ring()
        if result.batch is not None:
            _end(connection, result.batch, result)
    return result


def resume(
    batch: int,
    sources: Iterable[Source],
    stored: Callable[[Submitted], None] = _ignore,
    unlock: Unlock = _as_it_is,
) -> Submitted:
    """Go on with a submit that was cut off, given the same documents again.

    Raises NotFound where there is no such batch, InputError where it is complete, another submit
    is at it, a watch submitted it, or the documents are others.
    """
    result = Submitted(batch, 0)
    with ready_connection() as connection:
        _begin_again(connection, batch)
        rest = _after_those_stored(connection, batch, iter(sources), result)
        for block in _blocks(rest, result.refused):
            with connection.transaction(), connection.cursor() as cursor:
                _copy_documents(cursor, batch, block, unlock)
            result.documents += len(block)
            stored(result)
            _ring()
        _end(connection, batch, result)
    return result


def _begin_again(connection: Connection, batch: int) -> None:
    row = connection.execute(
        "SELECT docmill_begin_submit(id), submitted_at IS NOT NULL, state FROM batches "
        "WHERE id = %s",
        (batch,),
    ).fetchone()
    if row is None:
        raise NotFound(f"there is no batch {batch}; `docmill list` shows those that are")
    alone, whole, state = row
    if whole or state in (BatchState.CANCELLED, BatchState.PURGED):
        has = "has all its documents" if whole else f"is {state}"
        raise InputError(f"batch {batch} {has}; submit a new one")
    watch = watch_of(connection, batch)
    if watch is not None:
        raise InputError(f"batch {batch}: {left_by_watch(batch, watch)}")
    if not alone:
        raise InputError(f"batch {batch} is being submitted at this moment; let that end first")


Told = tuple[str, bytes]
"""Path and SHA-256 of a document."""


def _after_those_stored(
    connection: Connection, batch: int, sources: Iterator[Source], result: Submitted
) -> Iterator[Source]:
    """What is not there yet. The documents that are there are looked at again, one by one; what
    comes between them could not be had before."""
    between: list[tuple[Told, Accepted]] = []
    for stored in _stored(connection, batch):
        known = next((one for one in between if one[0] == stored), None)
        if known is not None:  # it came between others, and was stored after them
            between.remove(known)
        else:
            _pass_over(stored, batch, sources, result, between)
        result.documents += 1
    return chain((source for _, source in between), sources)


def _pass_over(
    stored: Told,
    batch: int,
    sources: Iterator[Source],
    result: Submitted,
    between: list[tuple[Told, Accepted]],
) -> None:
    """Look at the sources until a document that is there comes; what comes before it is added to
    `between`, a block at most. Raises InputError where it does not come."""
    while (source := _next_accepted(sources, result.refused)) is not None:
        if (told := _told(source)) == stored:
            return
        between.append((told, source))
        size = sum(len(one.data) for _, one in between)
        if source.path == stored[0]:
            break
        if len(between) > BLOCK or size > BLOCK_BYTES:
            raise InputError(_too_many_between(batch, stored[0]))
    if result.broke_off:
        raise InputError(f"{result.refused[-1].message}; try again")
    found = source or next((one for _, one in between), None)
    raise InputError(
        f"batch {batch} was being submitted with other documents: {stored[0]} was next, "
        f"found {found.path if found else 'nothing'}; name the same paths, or cancel it and submit "
        "anew"
    )


def _too_many_between(batch: int, path: str) -> str:
    return (
        f"batch {batch}: more than {BLOCK} documents, or {BLOCK_BYTES // 2**20} MB of them, stand "
        f"before {path} that are not in it: other paths, or so much that could not be had the "
        "first time; name the same paths, or cancel it and submit anew"
    )


def _stored(connection: Connection, batch: int) -> Iterator[Told]:
    """Each document that is there, in the order in which they were stored.
    Block by block: to read the files again may take long, and no transaction may last so."""
    last = 0
    while rows := connection.execute(
        "SELECT id, path, sha256 FROM documents WHERE batch_id = %s AND id > %s "
        "ORDER BY id LIMIT %s",
        (batch, last, BLOCK),
    ).fetchall():
        yield from ((path, bytes(digest)) for _, path, digest in rows)
        last = rows[-1][0]


def _next_accepted(sources: Iterator[Source], refused: list[Refused]) -> Accepted | None:
    for source in sources:
        if isinstance(source, Accepted):
            return source
        refused.append(source)
    return None


def _told(source: Accepted) -> Told:
    return source.path, hashlib.sha256(source.data).digest()


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


def _insert_batch(cursor: "psycopg.Cursor[Any]", spec: Spec, configuration: int) -> int:
    cursor.execute(
        "INSERT INTO batches (name, configuration_id, local_only, priority, max_cost_usd, "
        "deadline, reuse, allow_provider_batch, accept_error) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "RETURNING id",
        (
            spec.name,
            configuration,
            spec.policy is Policy.LOCAL_ONLY,
            spec.priority,
            spec.max_cost,
            spec.deadline,
            spec.reuse,
            spec.allow_provider_batch,
            spec.accept.error if spec.accept else None,
        ),
    )
    row = cursor.fetchone()
    assert row is not None
    batch = int(row[0])
    cursor.execute("SELECT docmill_begin_submit(%s)", (batch,))
    cursor.executemany(
        "INSERT INTO asks (batch_id, ordinal, label, text, json_schema, task, scope, documents, "
        "checks, important, place, examples, prompt) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
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
                _checks(ask),
                list(ask.important),
                ask.place,
                Json(as_json(ask.examples)) if ask.examples is not None else None,
                ask.prompt,
            )
            for ordinal, ask in enumerate(spec.asks, start=1)
        ],
    )
    return batch


def _checks(ask: Ask) -> Json | None:
    """The day is that of whoever submits, wherever workers are."""
    own = ask.own_checks(datetime.now().astimezone().date())
    return Json(own.as_json()) if own is not None else None


def _copy_documents(
    cursor: "psycopg.Cursor[Any]", batch: int, block: list[Accepted], unlock: Unlock
) -> None:
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence('documents', 'id')) FROM generate_series(1, %s)",
        (len(block),),
    )
    ids = [int(row[0]) for row in cursor.fetchall()]
    with cursor.copy(
        "COPY documents (id, batch_id, path, media_type, bytes, sha256) FROM STDIN"
    ) as copy:
        for document_id, document in zip(ids, block, strict=True):
            path, digest = _told(document)
            size = len(document.data)
            copy.write_row((document_id, batch, path, document.media_type, size, digest))
    with cursor.copy("COPY document_contents (document_id, data) FROM STDIN") as copy:
        for document_id, document in zip(ids, block, strict=True):
            copy.write_row((document_id, unlock(document.media_type, document.data)))


def _end(connection: Connection, batch: int, result: Submitted) -> None:
    if not result.broke_off:
        connection.execute("UPDATE batches SET submitted_at = now() WHERE id = %s", (batch,))
    connection.execute("SELECT pg_advisory_unlock_all()")


def _ring() -> None:
    """Wake a reader. Redis may be away: the leader rings when it is back."""
    with suppress(redis.RedisError, OSError, DocmillError, KombuError):
        if depths([INGEST.name])[0] < ENOUGH:
            ring(INGEST.name)
