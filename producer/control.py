"""Steering a batch in flight. Each is one guarded statement; workers see it within a second."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from models.database import ready_engine
from models.errors import InputError
from models.sql import load_sql
from producer.query import status


@dataclass(frozen=True, slots=True)
class Changed:
    """How much a command touched."""

    jobs: int = 0
    documents: int = 0


def pause(batch: int) -> None:
    """Begin nothing more of a batch until it is resumed. Raises NotFound or InputError."""
    _changed(_run("pause", batch=batch), batch, "pause", "running")


def resume(batch: int, max_cost: Decimal | None = None) -> Changed:
    """Let a paused batch and its held jobs go on, with a new budget if one is given (USD)."""
    row = _changed(
        _run("resume", batch=batch, max_cost=max_cost), batch, "resume", "paused or with held jobs"
    )
    return Changed(jobs=row["jobs"])


def cancel(batch: int) -> Changed:
    """Begin nothing more of a batch, ever; running calls end and are kept."""
    row = _changed(_run("cancel", batch=batch), batch, "cancel", "running or paused")
    return Changed(jobs=row["jobs"], documents=row["documents"])


def retry(batch: int, reason: str | None = None) -> Changed:
    """Bring failed jobs and documents back, all or those of one category."""
    state = status(batch)["state"]
    if state == "cancelled":
        raise InputError(f"batch {batch} is cancelled; submit it again instead")
    row = _run("retry", batch=batch, reason=reason)
    assert row is not None
    return Changed(jobs=row["jobs"], documents=row["documents"])


def set_priority(batch: int, priority: int) -> None:
    """Change a batch's priority; higher runs first. Raises NotFound."""
    if _run("priority", batch=batch, priority=priority) is None:
        status(batch)


def _changed(
    row: Mapping[str, Any] | None, batch: int, verb: str, needed: str
) -> Mapping[str, Any]:
    if row is None:
        state = status(batch)["state"]
        raise InputError(f"batch {batch} is {state}; to {verb} it, it must be {needed}")
    return row


def _run(name: str, **params: Any) -> Mapping[str, Any] | None:
    with ready_engine().begin() as connection:
        row = connection.execute(text(load_sql("producer", name)), params).mappings().first()
        return dict(row) if row is not None else None
