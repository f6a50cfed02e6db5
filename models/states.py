"""States and their legal changes. Every change in SQL is guarded by the state that it leaves."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    PENDING = "pending"  # waits to be classified
    READY = "ready"  # routed, waits for a slot
    RUNNING = "running"  # leased by a worker
    DONE = "done"
    FAILED = "failed"  # quarantined with its reason; `retry` brings it back
    HELD = "held"  # waits for a person or a budget, with the reason
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # blank chunk


class DocumentState(StrEnum):
    """Where a document stands."""

    PENDING = "pending"  # waits to be read
    RUNNING = "running"  # being read, leased by a worker
    READY = "ready"  # read; its jobs are under way
    DONE = "done"  # all its jobs are finished
    FAILED = "failed"  # could not be read
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # holds no text


class BatchState(StrEnum):
    """Where a batch stands."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"  # no job is pending, ready or running


class CallState(StrEnum):
    """Where a call to an engine stands in the ledger."""

    RESERVED = "reserved"  # about to be made, or under way
    SETTLED = "settled"  # answered; tokens and cost are what was reported
    REFUSED = "refused"  # the engine said no before working: costs nothing
    LOST = "lost"  # its answer never arrived: counts with its upper bound
    REUSED = "reused"  # no request was made: the answer to an identical one was taken


ACTIVE_JOBS = frozenset({JobState.PENDING, JobState.READY, JobState.RUNNING})
"""A batch with a job in one of these is not finished."""

JOB_CHANGES: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset(
        {JobState.READY, JobState.FAILED, JobState.HELD, JobState.CANCELLED, JobState.SKIPPED}
    ),
    JobState.READY: frozenset({JobState.RUNNING, JobState.HELD, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {JobState.READY, JobState.DONE, JobState.FAILED, JobState.HELD, JobState.CANCELLED}
    ),
    JobState.HELD: frozenset({JobState.READY, JobState.PENDING, JobState.CANCELLED}),
    JobState.FAILED: frozenset({JobState.READY, JobState.PENDING}),
    JobState.DONE: frozenset(),
    JobState.CANCELLED: frozenset(),
    JobState.SKIPPED: frozenset(),
}
"""From each state, the states that may follow; no statement makes any other change."""
