"""Documents: what became of each."""

from collections.abc import Iterator
from typing import Any

from models.states import UNREAD_DOCUMENTS, DocumentState
from producer.query.answers import RESULT_KEYS
from producer.query.rows import Row, fetched, moment, require

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


def documents(
    batch: int, state: str | None = None, *, after: int | None = None, most: int | None = None
) -> Iterator[dict[str, Any]]:
    """What became of each document, streamed: DOCUMENT_KEYS and `document_id`; up to `most` of
    those that follow document `after`. Raises NotFound."""
    require(batch)
    params = {"batch": batch, "state": state, "after": after, "most": most}
    return (
        {**row, "finished_at": moment(row["finished_at"])} for row in fetched("documents", params)
    )


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
