"""The last step: results, ledger rows and counters of many jobs in one transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from models.failure import Failure
from models.states import JobState
from worker.calls.journal import Journal
from worker.calls.retry import GiveUp, Retry, Wait
from worker.db import Database, Row, Statement
from worker.flow.group_commit import GATHER_S, GroupCommit
from worker.jsonb import as_json
from worker.run.outcome import Done, Escalate, OverBudget, Reread, Split, Suspect, Turn
from worker.run.verify.check import FieldCheck


@dataclass(frozen=True, slots=True)
class JobRow:
    """A row for run/finish.sql: what becomes of a job."""

    job_id: int
    state: JobState
    attempts: int = 0
    """To be added to those that it has spent."""
    waits: int = 0
    deaths: int = 0
    delay_s: float | None = None
    zone: str | None = None
    engine: str | None = None
    model: str | None = None
    step: int | None = None
    left_behind: str | None = None
    escalated_from: str | None = None
    escalation_reason: str | None = None
    error: dict[str, Any] | None = None
    value: dict[str, Any] | None = None
    grounded: bool | None = None
    spans: dict[str, list[int]] | None = None
    fields: dict[str, FieldCheck] | None = None
    scored_by: str | None = None
    call_id: UUID | None = None
    parts: list[dict[str, int]] | None = None
    reading: dict[str, Any] | None = None
    """What is to be read a second time, and the cap; where it does not allow that, the answer of
    this row stands."""
    mended: int = 0
    prompt: dict[str, Any] | None = None


class Persist:
    """Writes turns in groups; `finish` returns when its turn is durable."""

    def __init__(self, db: Database, journal: Journal, owner: UUID) -> None:
        self._db = db
        self._journal = journal
        self._owner = owner
        self._group: GroupCommit[Turn] = GroupCommit(self._write, gather_s=GATHER_S)

    async def finish(self, turn: Turn) -> None:
        """Make one job's turn durable."""
        await self._group.put(turn)

    async def _write(self, turns: Sequence[Turn]) -> None:
        calls = [call for turn in turns for call in turn.calls]
        unused = [call_id for turn in turns for call_id in turn.unused]
        held = [turn.outcome.hold for turn in turns if isinstance(turn.outcome, OverBudget)]
        reading = [turn.batch_id for turn in turns if _counts_against_cap(turn)]
        statements: list[Statement] = []
        if reading:
            statements.append(("run/lock_caps", {"batches": reading}))
        if calls:
            statements.append(("calls/settle", {"calls": as_json(calls)}))
        if unused:
            statements.append(("calls/drop", {"ids": unused}))
        if held:
            statements.append(("run/hold", {"rows": as_json(held)}))
        rows = as_json([job_row(turn) for turn in turns])
        statements.append(("run/finish", {"rows": rows, "owner": self._owner}))
        await self._db.run_all(statements)
        self._journal.settled(call.id for call in calls)


def _counts_against_cap(turn: Turn) -> bool:
    return turn.is_reading or isinstance(turn.outcome, Reread)


def job_row(turn: Turn) -> JobRow:
    """The row that an outcome means."""
    job = turn.job_id
    match turn.outcome:
        case Done() as done:
            return _answer(turn, done)
        case Reread(done, place, step, left, _, reason):
            return replace(
                _answer(turn, done),
                state=JobState.READY,
                zone=place.zone,
                engine=place.engine,
                model=place.model,
                step=step,
                left_behind=str(left),
                escalated_from=left.model,
                escalation_reason=reason,
                reading=_reading(turn.outcome),
            )
        case Escalate(place, step, left, failure):
            return JobRow(
                job,
                JobState.READY,
                zone=place.zone,
                engine=place.engine,
                model=place.model,
                step=step,
                left_behind=str(left),
                escalated_from=left.model,
                escalation_reason=f"{failure.category}: {failure.message}",
                error=failure.as_json(),
            )
        case Split(parts):
            return JobRow(job, JobState.READY, parts=[asdict(part) for part in parts])
        case Wait(failure, delay_s):
            return _back(job, failure, waits=1, delay_s=delay_s or None)
        case Suspect(failure, delay_s):
            return replace(_back(job, failure, waits=1, delay_s=delay_s or None), deaths=1)
        case Retry(failure, delay_s):
            return _back(job, failure, attempts=1, delay_s=delay_s)
        case OverBudget(_, failure):
            return _back(job, failure, waits=1)
        case GiveUp(failure):
            return JobRow(job, JobState.FAILED, attempts=1, error=failure.as_json())


def _answer(turn: Turn, done: Done) -> JobRow:
    return JobRow(
        turn.job_id,
        JobState.DONE,
        attempts=1,
        value=done.value,
        grounded=done.grounded,
        spans=done.spans,
        fields=done.fields,
        scored_by=done.scored_by,
        call_id=done.call_id,
        escalation_reason=done.unread,
        mended=done.mended,
        prompt=dict(turn.prompt) or None,
    )


def _reading(reread: Reread) -> dict[str, Any]:
    known = {name: str(reread.left) for name in reread.answer.value} | dict(reread.answer.by)
    cap = reread.cap
    return {
        "asked": reread.asked,
        "by": known,
        "most_usd": reread.most_usd,
        "share": cap.share,
        "cost_usd": cap.cost_usd,
    }


def _back(
    job: int,
    failure: Failure,
    *,
    attempts: int = 0,
    waits: int = 0,
    delay_s: float | None = None,
) -> JobRow:
    error = failure.as_json()
    return JobRow(job, JobState.READY, attempts, waits, delay_s=delay_s, error=error)


async def settle_calls(db: Database, calls: Sequence[Row]) -> int:
    """Write rows of a journal into the ledger; how many of them were not there yet."""
    return len(await db.run("calls/settle", calls=as_json(calls)))


async def purged_calls(db: Database, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these calls belong to no job any more."""
    return {row["id"] for row in await db.run("purge/purged_calls", ids=list(ids))}
