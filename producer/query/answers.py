"""Answers, a row a job."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.database import ready_connection
from producer.query.rows import Row, fetched, money, require
from producer.sentences import held, hold_category

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


def _streamed(params: Row, order: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    return (result_row(row, order) for row in fetched("results", params))


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
