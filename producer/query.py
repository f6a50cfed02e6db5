"""Every read: rows in, plain dictionaries out. Both doors, CLI and page, call these."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from models.database import ready_engine
from models.errors import NotFound
from models.sql import load_sql
from models.states import ACTIVE_JOBS

Row = Mapping[str, Any]

FETCH = 1_000

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
)
"""What each line of `results --format jsonl` holds, in this order."""


def status(batch: int) -> dict[str, Any]:
    """How far a batch is. Raises NotFound."""
    row = one("status", batch=batch)
    if row is None:
        raise NotFound(f"there is no batch {batch}; `docmill list` shows those that are")
    return {
        "batch": row["batch"],
        "name": row["name"],
        "state": batch_state(row["state"], row["documents"], row["jobs"]),
        "policy": "local-only" if row["local_only"] else "allow-frontier",
        "priority": row["priority"],
        "documents": row["documents"],
        "jobs": row["jobs"],
        "cost_usd": known_cost(row["cost_usd"], row["calls"]),
        "cost_unknown_calls": row["cost_unknown_calls"],
        "started_at": moment(row["started_at"]),
        "finished_at": moment(row["finished_at"]),
    }


def batch_state(state: str, documents: Mapping[str, int], jobs: Mapping[str, int]) -> str:
    """A batch is finished when no job is pending, ready or running; the feeder notes it a moment
    later than it is so."""
    waiting = any(documents.get(key) for key in ("pending", "running"))
    waiting = waiting or any(jobs.get(key) for key in ACTIVE_JOBS)
    return "finished" if state == "running" and not waiting else state


def is_over(found: Mapping[str, Any]) -> bool:
    """True when a status will not change by itself any more."""
    running = any(found["jobs"].get(key) for key in ACTIVE_JOBS)
    return found["state"] == "finished" or (found["state"] == "cancelled" and not running)


def known_cost(cost: Decimal | None, calls: int) -> str | None:
    """Nothing called costs 0; something called at no known price is unknown, not 0."""
    return "0" if cost is None and calls == 0 else money(cost)


def failures(batch: int) -> list[Row]:
    """What failed or is held, grouped by reason."""
    return every("failures", batch=batch)


def stages(batch: int) -> Row:
    """Where a batch's jobs are on the path."""
    row = one("stages", batch=batch)
    assert row is not None
    return row


def batches() -> list[dict[str, Any]]:
    """Every batch, newest first."""
    return [_batch(row) for row in every("batches")]


def _batch(row: Row) -> dict[str, Any]:
    waiting = {"pending": row["documents_waiting"]}
    return {
        **row,
        "state": batch_state(row["state"], waiting, {"ready": row["open"]}),
        "created_at": moment(row["created_at"]),
        "finished_at": moment(row["finished_at"]),
    }


def costs(batch: int | None, by: str) -> list[dict[str, Any]]:
    """The ledger summed up by model, task, batch or day."""
    return [cost_row(row) for row in every("costs", batch=batch, by=by)]


def cost_row(row: Row) -> dict[str, Any]:
    """A summed-up row of the ledger as both doors show it."""
    plain = {key: row[key] for key in COST_KEYS}
    for key in ("cost_usd", "would_have_cost_usd"):
        plain[key] = money(row[key])
    plain["gpu_seconds"] = float(row["gpu_seconds"]) if row["gpu_seconds"] is not None else None
    return plain


def costs_explained(batch: int | None, by: str) -> list[dict[str, Any]]:
    """Like `costs`, with what people want explained: why a price is unknown, whether a stand-in
    answered, and how many jobs took an answer that was there."""
    return [
        {
            **cost_row(row),
            "reasons": row["reasons"] or [],
            "stand_in": row["stand_in"],
            "reused_answers": row["reused_answers"],
        }
        for row in every("costs", batch=batch, by=by)
    ]


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
        status(batch)
    params = {
        "batch": batch,
        "document": document,
        "ask": ask,
        "task": task,
        "tier": tier,
        "state": state,
    }
    order = {key: place for place, key in enumerate(value_keys(batch))}
    with ready_engine().connect() as connection:
        streaming = connection.execution_options(stream_results=True, yield_per=FETCH)
        with streaming.execute(text(load_sql("producer", "results")), params) as rows:
            for row in rows.mappings():
                yield result_row(dict(row), order)


def result_row(row: Row, order: Mapping[str, int]) -> dict[str, Any]:
    """A row of the results view as both doors show it; `order` ranks the keys of answers."""
    plain = dict(row)
    if isinstance(row["value"], dict):  # jsonb forgets in which order the user named the fields
        by_ask = sorted(row["value"], key=lambda key: order.get(key, len(order)))
        plain["value"] = {key: row["value"][key] for key in by_ask}
    plain["cost_usd"] = money(row["cost_usd"])
    for key in ("input_tokens", "output_tokens", "latency_ms"):
        plain[key] = int(row[key]) if row[key] is not None else None
    if plain["state"] == "held" and plain["reason"] and plain["error"]:
        plain["error"] = {**plain["error"], "message": plain["reason"]}
    return plain


def value_keys(batch: int | None) -> list[str]:
    """The top-level keys that answers of a batch have, in the order of its asks."""
    query = (
        "SELECT json_schema FROM asks WHERE cast(:batch AS bigint) IS NULL OR batch_id = :batch "
        "ORDER BY batch_id, ordinal"
    )
    with ready_engine().connect() as connection:
        schemas = connection.execute(text(query), {"batch": batch}).scalars().all()
    keys = [key for schema in schemas if schema for key in schema.get("properties", {})]
    return list(dict.fromkeys(keys))


def money(value: Decimal | None) -> str | None:
    """USD as a plain decimal string."""
    if value is None:
        return None
    text_form = format(value.normalize(), "f")
    return "0" if text_form in ("-0", "") else text_form


def moment(value: Any) -> str | None:
    """A timestamp in ISO 8601."""
    return value.isoformat() if value is not None else None


def one(name: str, **params: Any) -> Row | None:
    """The first row of a statement of producer/sql, if any."""
    rows = every(name, **params)
    return rows[0] if rows else None


def every(name: str, **params: Any) -> list[Row]:
    """All rows of a statement of producer/sql."""
    with ready_engine().connect() as connection:
        rows = connection.execute(text(load_sql("producer", name)), params)
        return [dict(row) for row in rows.mappings()]
