"""Every read: rows in, plain dictionaries out. Both doors, CLI and page, call these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from models.database import ready_connection
from models.errors import NotFound
from models.scores import Acceptance, acceptance, opened, shipped
from models.sql import load_sql
from models.states import (
    ACTIVE_JOBS,
    UNREAD_DOCUMENTS,
    BatchState,
    DocumentState,
    SubmitState,
)
from producer.deadline import expected_finish
from producer.engines import engine_row
from producer.sentences import fate, held, hold_category, mend, serve

Row = Mapping[str, Any]

FETCH = 1_000
"""Rows of results in memory at a time."""


COST_KEYS = (
    "key",
    "tier",
    "calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "cost_usd",
    "unknown_price_calls",
    "lost_calls",
    "gpu_seconds",
    "would_have_cost_usd",
)
"""What each row of `costs --json` holds, in this order."""

RESULT_KEYS = (
    "batch",
    "document",
    "chunk",
    "pages",
    "ask",
    "task",
    "tier",
    "model",
    "state",
    "value",
    "grounded",
    "spans",
    "escalated_from",
    "escalation_reason",
    "attempts",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "error",
    "engine",
    "chain",
    "fields",
    "job",
    "corrected",
    "answered",
    "accepted",
    "scored_by",
)
"""What each line of `results --format jsonl` holds, in this order."""


STATUS_KEYS = (
    "batch",
    "name",
    "state",
    "policy",
    "priority",
    "documents",
    "jobs",
    "cost_usd",
    "cost_unknown_calls",
    "started_at",
    "finished_at",
    "deadline",
)
"""What `status --json` holds, in this order; `expected_finish`, `unserved`, `bulks`,
`troubles` and `accept` follow."""

DOCUMENT_KEYS = (
    "document",
    "state",
    "reason",
    "message",
    "missing",
    "notes",
    "media_type",
    "bytes",
    "pages",
    "language",
    "jobs",
    "jobs_finished",
    "finished_at",
)
"""What each of `documents --json` holds, in this order."""

TOLD = UNREAD_DOCUMENTS | {DocumentState.PARTLY}
"""States of documents of which something was not read."""

ENDED = frozenset({BatchState.FINISHED, BatchState.PURGED})
"""Nothing is begun in them any more, and nothing is under way."""


def status(batch: int) -> dict[str, Any]:
    """How far a batch is: STATUS_KEYS, `submit` (a SubmitState), `accept` (an Acceptance, or None),
    `unserved`: the queues that it waits in while no worker serves them, each with what mends that,
    and `bulks`: the batches of providers that its jobs stand in, with what went wrong. Raises
    NotFound."""
    row = one("status", batch=batch)
    if row is None:
        raise _no_batch(batch)
    whole = row["submit"] == SubmitState.WHOLE
    state = batch_state(row["state"], row["documents"], row["jobs"], whole=whole)
    over = state in ENDED or state == BatchState.CANCELLED
    told = state != BatchState.PURGED or row["keeps_costs"]
    return {
        "batch": row["batch"],
        "name": row["name"],
        "state": state,
        "policy": "local-only" if row["local_only"] else "allow-frontier",
        "priority": row["priority"],
        "documents": row["documents"],
        "jobs": row["jobs"],
        "cost_usd": known_cost(row["cost_usd"], row["calls"]) if told else None,
        "cost_unknown_calls": row["cost_unknown_calls"],
        "started_at": moment(row["started_at"]),
        "finished_at": moment(row["changed_at"]) if over else None,
        "deadline": moment(row["deadline"]),
        "submit": row["submit"],
        "accept": acceptance_of(row["accept_error"]),
        "unserved": [
            {"queue": waits["queue"], "mend": serve(waits["stage"], waits["zone"])}
            for waits in every("unserved", batch=batch)
        ],
        "bulks": [
            {**row, **{key: moment(row[key]) for key in ("created_at", "sent_at")}}
            for row in every("bulks", batch=batch)
        ],
    }


def status_json(found: Row) -> dict[str, Any]:
    """A status as `status --json` and `watch --json` print it."""
    batch, now = found["batch"], datetime.now().astimezone()
    return {
        **{key: found[key] for key in STATUS_KEYS},
        "expected_finish": moment(expected_finish(found, stages(batch), now)),
        "unserved": found["unserved"],
        "bulks": found["bulks"],
        "troubles": troubles(batch),
        "accept": found["accept"] and asdict(found["accept"]),
    }


def acceptance_of(error: float | None) -> Acceptance | None:
    """What the scores that count here accept at this error; None: nothing is to be accepted."""
    if error is None:
        return None
    row = one("newest_scores")
    return acceptance(opened(row["model"]) if row else shipped(), error)


def batch_state(
    state: str, documents: Mapping[str, int], jobs: Mapping[str, int], *, whole: bool = True
) -> str:
    """A batch is finished when no job is pending, ready or running; the leader notes it a moment
    later than it is so. `whole`: all of its documents have been stored."""
    waiting = not whole or any(documents.get(key) for key in ("pending", "running"))
    waiting = waiting or any(jobs.get(key) for key in ACTIVE_JOBS)
    return "finished" if state == "running" and not waiting else state


def is_over(found: Mapping[str, Any]) -> bool:
    """True when a status will not change by itself any more."""
    running = any(found["jobs"].get(key) for key in ACTIVE_JOBS)
    cancelled = found["state"] == BatchState.CANCELLED
    return found["state"] in ENDED or (cancelled and not running)


def known_cost(cost: Decimal | None, calls: int) -> str | None:
    """Nothing called costs 0; something called at no known price is unknown, not 0."""
    return "0" if cost is None and calls == 0 else money(cost)


def failures(batch: int) -> list[Row]:
    """What failed, was not read or is held, grouped by reason, the most frequent first. `mend`
    says what helps, where that is not `retry`."""
    fates = [{**row, "mend": fate(row["state"], batch)} for row in every("fates", batch=batch)]
    failed = [{**row, "mend": None} for row in every("failures", batch=batch)]
    found = [*failed, *fates, *map(_held_as_failure, held_jobs(batch))]
    return sorted(found, key=lambda row: -row["n"])


def documents(
    batch: int, state: str | None = None, *, after: int | None = None, most: int | None = None
) -> Iterator[dict[str, Any]]:
    """What became of each document, streamed: DOCUMENT_KEYS and `document_id`; up to `most` of
    those that follow document `after`. Raises NotFound."""
    require(batch)
    params = {"batch": batch, "state": state, "after": after, "most": most}
    return (
        {**row, "finished_at": moment(row["finished_at"])} for row in _fetched("documents", params)
    )


def _held_as_failure(row: Row) -> Row:
    more = {"kind": "job", "state": "held", "n": row["jobs"], "path": None, "mend": None}
    return {**row, **more}


def held_jobs(batch: int | None = None) -> list[Row]:
    """How many jobs are held for which reason, of one batch or of all."""
    return [
        {
            "batch": row["batch"],
            "jobs": row["jobs"],
            "category": hold_category(row["code"], row["about"]),
            "message": held(row["code"], row["about"], row["batch"]),
        }
        for row in every("held", batch=batch)
    ]


def troubles(batch: int | None = None) -> list[dict[str, Any]]:
    """The engines and models that are not asked at present, host by host: of those that a batch
    has something to do for, or of all.

    `model` None is every model, `until` None is until a look at the engine says so; `workers` are
    the machines from which it is not asked, `mend` says what to do.
    """
    return [
        {
            **row,
            "since": moment(row["since"]),
            "until": moment(row["until"]),
            "mend": mend(row, batch),
        }
        for row in every("troubles", batch=batch)
    ]


def stages(batch: int) -> Row:
    """Where a batch's jobs are on the path."""
    row = one("stages", batch=batch)
    assert row is not None
    return row


def batches() -> list[dict[str, Any]]:
    """Every batch, newest first."""
    return [_batch(row) for row in every("batches")]


def _batch(row: Row) -> dict[str, Any]:
    return {
        **row,
        "created_at": moment(row["created_at"]),
        "finished_at": moment(row["finished_at"]),
    }


def require(batch: int) -> None:
    """Raises NotFound when there is no such batch. Any number may be asked for."""
    query = "SELECT FROM batches WHERE id = %s"
    with ready_connection() as connection:
        if connection.execute(query, (batch,)).fetchone() is None:
            raise _no_batch(batch)


def _no_batch(batch: int) -> NotFound:
    return NotFound(f"there is no batch {batch}; `docmill list` shows those that are")


def engines() -> list[dict[str, Any]]:
    """Each model of each engine: who serves it, and what its calls came to in the last day.

    Costs are USD per million tokens, prompt and answer together; None is not known.
    """
    return [engine_row(row) for row in every("engines")]


def paces() -> list[Row]:
    """How fast each queue that was measured in the last day goes, and what waits in it."""
    return every("paces")


def costs(batch: int | None, by: str) -> list[dict[str, Any]]:
    """The ledger summed up by model, task, batch or day. Raises NotFound."""
    return [cost_row(row) for row in _summed_up(batch, by)]


def _summed_up(batch: int | None, by: str) -> list[Row]:
    if batch is not None:
        require(batch)
    return every("costs", batch=batch, by=by)


def cost_row(row: Row) -> dict[str, Any]:
    """A summed-up row of the ledger as both doors show it."""
    plain = {key: row[key] for key in COST_KEYS}
    for key in ("cost_usd", "would_have_cost_usd"):
        plain[key] = money(row[key])
    plain["gpu_seconds"] = float(row["gpu_seconds"]) if row["gpu_seconds"] is not None else None
    return plain


def costs_explained(batch: int | None, by: str) -> list[dict[str, Any]]:
    """Like `costs`, with what people want explained: why a price is unknown, whether a stand-in
    answered, and how many jobs took an answer that was there. Raises NotFound."""
    return [
        {
            **cost_row(row),
            "reasons": row["reasons"] or [],
            "stand_in": row["stand_in"],
            "reused_answers": row["reused_answers"],
        }
        for row in _summed_up(batch, by)
    ]


def escalations(batch: int | None) -> list[dict[str, Any]]:
    """What second readings brought, batch by batch: `batch`, `jobs` of `of_jobs` with one, `fields`
    in question, `mended`: sure since, `cost_usd` (None: at no known price), `usd_per_mended` (None:
    that is not known, or none is). Raises NotFound."""
    if batch is not None:
        require(batch)
    return [escalation_row(row) for row in every("escalations", batch=batch)]


def escalation_row(row: Row) -> dict[str, Any]:
    """A batch's second readings as both doors show them."""
    known = row["unknown"] == 0
    per_mended = row["usd"] / row["mended"] if known and row["mended"] else None
    return {
        **{key: row[key] for key in ("batch", "jobs", "fields", "mended")},
        "of_jobs": int(row["of_jobs"] or 0),
        "cost_usd": money(row["usd"]) if known else None,
        "usd_per_mended": money(per_mended),
    }


def results(
    batch: int | None = None,
    *,
    document: str | None = None,
    ask: str | None = None,
    task: str | None = None,
    tier: str | None = None,
    state: str | None = None,
) -> Iterator[dict[str, Any]]:
    """One row per job, streamed. Raises NotFound when the batch does not exist."""
    if batch is not None:
        require(batch)
    params = {
        "batch": batch,
        "document": document,
        "ask": ask,
        "task": task,
        "tier": tier,
        "state": state,
    }
    return _streamed(params, {key: place for place, key in enumerate(value_keys(batch))})


def unread(batch: int) -> Iterator[dict[str, Any]]:
    """The documents of a batch that ended without a job, or of which pages are missing, in the
    form of results: without an ask, their fate as the state. Raises NotFound."""
    return (
        {**dict.fromkeys((*RESULT_KEYS, "reason", "stand_in")), **_as_result(batch, row)}
        for row in documents(batch)
        if row["state"] in TOLD
    )


def _as_result(batch: int, row: Row) -> dict[str, Any]:
    gaps = "; ".join(f"pages {gap['pages']} ({gap['why']})" for gap in row["missing"] or ())
    return {
        "batch": batch,
        "document": row["document"],
        "state": row["state"],
        "attempts": 0,
        "error": {
            "category": row["reason"] or row["state"],
            "phase": "ingest",
            "retryable": row["state"] == DocumentState.FAILED,
            "message": row["message"] or f"missing: {gaps}",
        },
    }


def _streamed(params: Row, order: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    return (result_row(row, order) for row in _fetched("results", params))


def _fetched(name: str, params: Row) -> Iterator[Row]:
    """The rows of a statement of producer/sql, a few at a time."""
    with (
        ready_connection() as connection,
        connection.transaction(),
        connection.cursor(name, row_factory=dict_row) as cursor,
    ):
        cursor.itersize = FETCH
        yield from cursor.execute(load_sql("producer", name), params)


def result_row(row: Row, order: Mapping[str, int]) -> dict[str, Any]:
    """A row of the results view as both doors show it; `order` ranks the keys of answers."""
    plain = dict(row)
    for name in ("value", "answered"):
        plain[name] = in_order(row.get(name), order)
    plain["cost_usd"] = money(row["cost_usd"])
    for key in ("input_tokens", "output_tokens", "latency_ms"):
        plain[key] = int(row[key]) if row[key] is not None else None
    if plain.get("held_for"):
        plain["error"] = _hold_as_error(plain)
    return plain


def in_order(value: Any, order: Mapping[str, int]) -> Any:
    """An answer with its keys as the user named them, which jsonb forgets."""
    if not isinstance(value, dict):
        return value
    return {key: value[key] for key in sorted(value, key=lambda key: order.get(key, len(order)))}


def _hold_as_error(row: Row) -> dict[str, Any]:
    """Why a job is held, in the form of what went wrong."""
    code, about = row["held_for"], row["held_about"] or {}
    message = held(code, about, row.get("batch", 0))
    category = hold_category(code, about)
    return {"category": category, "phase": "run", "retryable": True, "message": message}


def value_keys(batch: int | None) -> list[str]:
    """The top-level keys that answers of a batch have, in the order of its asks."""
    query = (
        "SELECT json_schema FROM asks WHERE %(batch)s::bigint IS NULL OR batch_id = %(batch)s "
        "ORDER BY batch_id, ordinal"
    )
    with ready_connection() as connection:
        schemas = [row[0] for row in connection.execute(query, {"batch": batch})]
    keys = [key for schema in schemas if schema for key in schema.get("properties", {})]
    return list(dict.fromkeys(keys))


@dataclass(frozen=True, slots=True)
class AnswerKeys:
    """What answers hold that has a column of its own in a file."""

    values: Sequence[str] = ()
    """Their top-level keys."""
    normalised: Sequence[str] = ()
    """Fields with a format that stand in no list."""


def answer_keys(batch: int | None) -> AnswerKeys:
    """The keys of a batch's answers."""
    return AnswerKeys(value_keys(batch), _normalised_keys(batch))


def _normalised_keys(batch: int | None) -> list[str]:
    query = (
        "SELECT json_schema, checks->'formats' FROM asks WHERE checks IS NOT NULL "
        "AND (%(batch)s::bigint IS NULL OR batch_id = %(batch)s) ORDER BY batch_id, ordinal"
    )
    with ready_connection() as connection:
        asks = connection.execute(query, {"batch": batch}).fetchall()
    if not asks:
        return []
    from models.fields import find_field  # loads the compiled schemas: most batches need none

    named = ((name, find_field(schema, name)) for schema, formats in asks for name in formats)
    return list(dict.fromkeys(name for name, found in named if found and not found.rows))


def money(value: Decimal | None) -> str | None:
    """USD as a plain decimal string."""
    if value is None:
        return None
    text_form = format(value.normalize(), "f")
    return "0" if text_form in ("-0", "") else text_form


def moment(value: Any) -> str | None:
    """A timestamp in ISO 8601."""
    return value.isoformat() if value is not None else None


def one(name: str, /, **params: Any) -> Row | None:
    """The first row of a statement of producer/sql, if any."""
    rows = every(name, **params)
    return rows[0] if rows else None


def every(name: str, /, **params: Any) -> list[Row]:
    """All rows of a statement of producer/sql."""
    with ready_connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return list(cursor.execute(load_sql("producer", name), params))
