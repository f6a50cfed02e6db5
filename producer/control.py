"""Steering a batch in flight. Each is one guarded statement; workers see it within a second."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from models.errors import InputError
from models.states import BatchState, DocumentState, SubmitState
from producer.query import every, one, status

RETRIED = 2_000
"""Jobs, or documents, that are brought back in one statement."""


REREAD = 100
"""Documents whose bytes are copied in one statement."""

UNLOCKED = 8
"""Documents whose bytes are held at a time while they are unlocked."""


@dataclass(frozen=True, slots=True)
class Changed:
    """How much a command touched."""

    jobs: int = 0
    documents: int = 0


def pause(batch: int) -> None:
    """Begin nothing more of a batch until it is resumed. Raises NotFound or InputError."""
    _changed(one("pause", batch=batch), batch, "pause", "running")


def resume(batch: int, max_cost: Decimal | None = None) -> Changed:
    """Let a paused batch and its held jobs go on, with a new budget if one is given (USD)."""
    row = _changed(
        one("resume", batch=batch, max_cost=max_cost), batch, "resume", "paused or with held jobs"
    )
    return Changed(jobs=row["jobs"])


def cancel(batch: int) -> Changed:
    """Begin nothing more of a batch, ever; running calls end and are kept."""
    row = _changed(one("cancel", batch=batch), batch, "cancel", "running or paused")
    return Changed(jobs=row["jobs"], documents=row["documents"])


def retry(batch: int, reason: str | None = None) -> Changed:
    """Bring failed jobs and documents back, all or those of one category, which may also be a
    state of documents: needs_ocr, needs_password or partly. Raises InputError for the last while
    its submit did not end, which looks for the documents that there are."""
    require_open(batch)
    if reason == DocumentState.PARTLY and status(batch)["submit"] != SubmitState.WHOLE:
        goes_on = f"let its submit end first, or go on with it: `docmill submit --resume {batch}`"
        raise InputError(f"batch {batch} has not all its documents; {goes_on}")
    jobs = documents = 0
    # Block by block, so that no other batch waits for a million rows.
    while (
        reason == DocumentState.PARTLY
        and (row := one("reread_documents", batch=batch, most=REREAD))
        and row["documents"]
    ):
        documents += row["documents"]
    while (row := one("retry_documents", batch=batch, reason=reason, most=RETRIED)) and row[
        "documents"
    ]:
        documents += row["documents"]
    while (row := one("retry", batch=batch, reason=reason, most=RETRIED)) and row["jobs"]:
        jobs += row["jobs"]
    return Changed(jobs=jobs, documents=documents)


def unlock(batch: int, unlocker: Callable[[str, bytes], bytes]) -> Changed:
    """Bring back the documents of a batch that a password opens (producer/unlock.py)."""
    require_open(batch)
    documents = last = 0
    while rows := every("locked_documents", batch=batch, after=last, most=UNLOCKED):
        for row in rows:
            data = bytes(row["data"])
            if (opened := unlocker(row["media_type"], data)) is not data:
                changed = one("unlock_document", document=row["id"], data=opened)
                documents += changed["documents"] if changed else 0
        last = rows[-1]["id"]
    return Changed(documents=documents)


def require_open(batch: int) -> None:
    """Raises InputError where nothing of a batch can be begun again, NotFound."""
    state = status(batch)["state"]
    if state in (BatchState.CANCELLED, BatchState.PURGED):
        raise InputError(f"batch {batch} is {state}; submit it again instead")


def set_priority(batch: int, priority: int) -> None:
    """Change a batch's priority; higher runs first. Raises NotFound."""
    if one("priority", batch=batch, priority=priority) is None:
        status(batch)


def _changed(
    row: Mapping[str, Any] | None, batch: int, verb: str, needed: str
) -> Mapping[str, Any]:
    if row is None:
        state = status(batch)["state"]
        raise InputError(f"batch {batch} is {state}; to {verb} it, it must be {needed}")
    return row
