"""States and their legal changes. Every change in SQL is guarded by the state that it leaves."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands, as both doors show it.

    `running`, `held` and `cancelled` are nowhere written on a job. A job is running while a worker
    holds its lease, held while a hold concerns its line, cancelled when its batch is: rows about
    what they concern, so that none of them ever means a million rows (the view job_states).
    """

    PENDING = "pending"  # waits to be classified
    READY = "ready"  # routed, waits for a slot
    RUNNING = "running"  # leased by a worker, or its parts are
    DONE = "done"
    FAILED = "failed"  # quarantined with its reason; `retry` brings it back
    HELD = "held"  # waits for a person or a budget, with the reason
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # blank chunk


class DocumentState(StrEnum):
    """Where a document stands. `running` and `cancelled` are shown, not written (see JobState).

    Nor is `partly`: whether all of a document was read is a fact beside its state, since its jobs
    go on as those of any other. It is shown in the place of `ready` and `done` (the function
    docmill_document_state).
    """

    PENDING = "pending"  # waits to be read
    RUNNING = "running"  # being read, leased by a worker
    READY = "ready"  # read; its jobs are under way
    DONE = "done"  # all its jobs are finished
    PARTLY = "partly"  # read, but for the pages that `missing` names
    NEEDS_OCR = "needs_ocr"  # pictures of text; its bytes are kept
    NEEDS_PASSWORD = "needs_password"  # noqa: S105 - its bytes are kept
    UNSUPPORTED = "unsupported"  # of a kind that no reader reads, for good
    FAILED = "failed"  # could not be read; its bytes are kept, and `retry` tries again
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # read, and there is nothing to ask of it


class BatchState(StrEnum):
    """Where a batch stands."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"  # no job is pending, ready or running
    PURGED = "purged"  # its texts, prompts and answers are gone


class SubmitState(StrEnum):
    """Whether all documents of a batch are stored (docmill_submit_state in migrations/sql)."""

    WHOLE = "whole"  # they have, or no more of them are wanted
    UNDER_WAY = "under way"
    INTERRUPTED = "interrupted"  # its submit was cut off; `docmill submit --resume` goes on with it


class CallState(StrEnum):
    """Where a call to an engine stands in the ledger."""

    RESERVED = "reserved"  # about to be made, or under way
    SETTLED = "settled"  # answered; tokens and cost are what was reported
    REFUSED = "refused"  # the engine said no: costs nothing, or what it said it took
    LOST = "lost"  # its answer never arrived: counts with its upper bound
    REUSED = "reused"  # no request was made: the answer to an identical one was taken


ACTIVE_JOBS = frozenset({JobState.PENDING, JobState.READY, JobState.RUNNING})
"""A batch with a job in one of these is not finished."""

WRITTEN_JOBS = frozenset(
    {JobState.PENDING, JobState.READY, JobState.DONE, JobState.FAILED, JobState.SKIPPED}
)
"""What stands on the rows of jobs; the other states follow from leases, holds and the batch."""

OPEN_JOBS = frozenset({JobState.PENDING, JobState.READY})
"""A job with one of these written on it still has something to do."""

JOB_CHANGES: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.READY, JobState.FAILED}),
    JobState.READY: frozenset({JobState.DONE, JobState.FAILED}),
    JobState.FAILED: frozenset({JobState.READY, JobState.PENDING}),
    JobState.DONE: frozenset(),
    JobState.SKIPPED: frozenset(),
}
"""From each written state, those that may follow; no statement makes any other change."""

WRITTEN_DOCUMENTS = frozenset(DocumentState) - {
    DocumentState.RUNNING,
    DocumentState.PARTLY,
    DocumentState.CANCELLED,
}
"""What stands on the rows of documents."""

REFUSED_DOCUMENTS = frozenset(
    {DocumentState.NEEDS_OCR, DocumentState.NEEDS_PASSWORD, DocumentState.UNSUPPORTED}
)
"""What a reader says of a document that another try would not change: the category of its
ReadError is the state."""

UNREAD_DOCUMENTS = REFUSED_DOCUMENTS | {DocumentState.FAILED, DocumentState.SKIPPED}
"""Those that have ended without a job."""
