"""Batches: how far they are."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from models.scores import Acceptance, acceptance, opened, shipped
from models.states import ACTIVE_JOBS, BatchState, SubmitState
from producer.deadline import expected_finish
from producer.query.rows import Row, every, moment, money, no_batch, one
from producer.query.trouble import troubles
from producer.sentences import serve

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

ENDED = frozenset({BatchState.FINISHED, BatchState.PURGED})
"""Nothing is begun in them any more, and nothing is under way."""


def status(batch: int) -> dict[str, Any]:
    """How far a batch is: STATUS_KEYS, `submit` (a SubmitState), `accept` (an Acceptance, or None),
    `unserved`: the queues that it waits in while no worker serves them, each with what mends that,
    and `bulks`: the batches of providers that its jobs stand in, with what went wrong. Raises
    NotFound."""
    row = one("status", batch=batch)
    if row is None:
        raise no_batch(batch)
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
