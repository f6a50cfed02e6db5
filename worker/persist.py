"""The last step: results, ledger rows and counters of many jobs in one transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from models.states import JobState
from worker.calls.journal import Journal
from worker.calls.retry import BUDGET, GiveUp, Hold, Retry, Wait
from worker.db import Database, Statement
from worker.flow.group_commit import GATHER_S, GroupCommit
from worker.jsonb import as_json
from worker.run.outcome import Done, Escalate, Turn


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
        statements: list[Statement] = []
        if calls:
            statements.append(("settle_calls", {"calls": as_json(calls)}))
        if unused:
            statements.append(("drop_calls", {"ids": unused}))
        held = {
            turn.job_id: turn.outcome
            for turn in turns
            if isinstance(turn.outcome, Hold) and turn.outcome.failure.category != BUDGET
        }
        if held:
            statements.append(
                ("hold_rest", {"rows": as_json([_held(*one) for one in held.items()])})
            )
        rows = [job_row(turn) for turn in turns]
        statements.append(("finish_jobs", {"rows": as_json(rows), "owner": self._owner}))
        await self._db.run_all(statements)
        self._journal.settled(call["id"] for call in calls)


def _held(job_id: int, hold: Hold) -> dict[str, Any]:
    return {"job_id": job_id, "reason": hold.reason, "error": hold.failure.as_json()}


def job_row(turn: Turn) -> dict[str, Any]:
    """The row for finish_jobs.sql that an outcome means."""
    row: dict[str, Any] = {"job_id": turn.job_id, "attempts_back": 0, "waits": 0}
    match turn.outcome:
        case Done(value, grounded, spans, call_id):
            answer = {"value": value, "grounded": grounded, "spans": spans, "call_id": call_id}
            return {**row, "state": JobState.DONE, **answer}
        case Escalate(route, from_model, failure):
            moved = {
                "queue": route.tier,
                "model": route.model_name,
                "escalated_from": from_model,
                "escalation_reason": f"{failure.category}: {failure.message}",
                "attempts_back": 1,
            }
            return {**row, "state": JobState.READY, **moved, "error": failure.as_json()}
        case Wait(failure, delay_s):
            waiting = {"attempts_back": 1, "waits": 1, "delay_s": delay_s}
            return {**row, "state": JobState.READY, **waiting, "error": failure.as_json()}
        case Retry(failure, delay_s):
            error = failure.as_json()
            return {**row, "state": JobState.READY, "delay_s": delay_s, "error": error}
        case Hold(failure, reason, delay_s):
            held = {"attempts_back": 1, "waits": 1, "delay_s": delay_s, "reason": reason}
            return {**row, "state": JobState.HELD, **held, "error": failure.as_json()}
        case GiveUp(failure):
            return {**row, "state": JobState.FAILED, "error": failure.as_json()}
