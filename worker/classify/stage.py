"""Classify: which task type an (ask, text) pair is, found once per distinct pair.

Always on the local engine, whatever the policy: the text has not been cleared to leave yet.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models.config import Config
from models.failure import Failure
from models.states import JobState
from models.words import TaskType
from worker.calls.answer import Invalid, check
from worker.calls.caller import Asking, Desk
from worker.calls.ledger import CallRow
from worker.calls.retry import MAX_WAITS, GiveUp, Hold, Retry, Wait, after_engine_error
from worker.db import Database, Row
from worker.flow.group_commit import GATHER_S, GroupCommit
from worker.flow.stage import Held, Lease, Slot
from worker.jsonb import as_json
from worker.llm.engine import EngineError, Request
from worker.llm.gate import Gate
from worker.prompts import CLASSIFY_SCHEMA, classify_messages, prompt
from worker.route import all_routes
from worker.settings import LEASE_S

MAX_TOKENS = 40
"""Room for {"task": "classification"} and an engine's white space."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A leased (ask, text) pair."""

    key: UUID
    job_id: int
    ask: str
    excerpt: str
    attempts: int
    call_id: UUID


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a pair: a task type, or a failure with the state that its jobs get; with
    neither, the pair goes back in line."""

    key: UUID
    task: TaskType | None = None
    state: JobState | None = None
    failure: Failure | None = None
    reason: str | None = None
    counted: bool = False
    """True when the try was the pair's own fault and counts as an attempt."""
    calls: list[CallRow] = field(default_factory=list)
    unused: list[UUID] = field(default_factory=list)
    """Calls in the ledger that never went out."""


class ClassifyStage:
    """Finds task types with the local engine and routes the jobs that waited for them."""

    limited = False

    name = "classify"

    def __init__(self, db: Database, desk: Desk, config: Config, owner: UUID) -> None:
        self.gate: Gate | None = desk.gate
        self._db = db
        self._desk = desk
        self._config = config
        self._owner = owner
        self._asks: dict[int, str] = {}
        self._group: GroupCommit[Verdict] = GroupCommit(self._write, gather_s=GATHER_S)

    async def admit(self, ids: Sequence[int]) -> list[int]:
        """All of them: no rate limit here."""
        return list(ids)

    def decline(self, ids: Sequence[int]) -> None:
        """Nothing was granted."""

    async def claim(self, ids: Sequence[int]) -> list[Held]:
        """Lease pairs; jobs whose pair is already classified are routed right here."""
        site = self._desk.ledger.site
        rows = await self._db.run(
            "claim_pending",
            ids=list(ids),
            owner=self._owner,
            lease_s=LEASE_S,
            engine=site.config.kind,
            host=site.host,
            model=self._config.classifier.model,
        )
        known = [Verdict(row["key"], TaskType(row["task"])) for row in rows if row["task"]]
        await asyncio.gather(*map(self.finish, known))
        rows = [row for row in rows if row["task"] is None]
        await self._learn_asks({row["ask_id"] for row in rows})
        return [Held(row["id"], row["key"], row["batch_id"], self._pair(row)) for row in rows]

    async def _learn_asks(self, ids: set[int]) -> None:
        missing = [ask_id for ask_id in ids if ask_id not in self._asks]
        if missing:
            for row in await self._db.run("load_asks", ids=missing):
                self._asks[row["id"]] = row["text"]

    def _pair(self, row: Row) -> Pair:
        return Pair(
            key=row["key"],
            job_id=row["id"],
            ask=self._asks[row["ask_id"]],
            excerpt=row["excerpt"] or "",
            attempts=row["attempts"],
            call_id=row["call_id"],
        )

    async def work(self, held: Held, slot: Slot) -> Verdict:
        """Ask which task type it is."""
        pair: Pair = held.payload
        asking = Asking(self._desk, slot, pair.job_id, pair.call_id, {})
        messages = classify_messages(pair.ask, pair.excerpt)
        request = Request(
            model_name=self._config.classifier.model,
            messages=messages,
            max_tokens=MAX_TOKENS,
            context_tokens=self._desk.ledger.site.config.context_tokens,
            schema=CLASSIFY_SCHEMA,
            fixed=len(messages) - 1,
        )
        try:
            version = f"{prompt('classify').version}#{pair.attempts}"
            _, completion = await asking.ask(request, version, "classify")
        except EngineError as error:
            return self._after_error(pair, error, asking.calls)
        except asyncio.CancelledError:
            return Verdict(pair.key, calls=asking.calls, unused=asking.unused)
        checked = check(completion, CLASSIFY_SCHEMA)
        if isinstance(checked, Invalid):
            return self._invalid(pair, checked, asking.calls)
        return Verdict(pair.key, TaskType(checked.value["task"]), calls=asking.calls)

    def _invalid(self, pair: Pair, wrong: Invalid, calls: list[CallRow]) -> Verdict:
        failure = Failure(wrong.category, "classify", True, wrong.problem)
        if pair.attempts < self._config.limits.attempts:
            return Verdict(pair.key, failure=failure, counted=True, calls=calls)
        return Verdict(pair.key, None, JobState.FAILED, failure, calls=calls)

    def _after_error(self, pair: Pair, error: EngineError, calls: list[CallRow]) -> Verdict:
        pause_s = self._desk.gate.trouble(error)
        after = after_engine_error(
            error,
            phase="classify",
            attempts=pair.attempts,
            waits=0,
            # A pair has no count of waits: while the engine struggles each try counts, but far
            # more of them are allowed.
            max_attempts=self._config.limits.attempts if self._desk.gate.healthy else MAX_WAITS,
            engine_healthy=True,
            pause_s=pause_s,
        )
        match after:
            case Hold(failure, reason):
                return Verdict(pair.key, None, JobState.HELD, failure, reason, calls=calls)
            case GiveUp(failure):
                return Verdict(pair.key, None, JobState.FAILED, failure, calls=calls)
            case Wait(failure):
                return Verdict(pair.key, failure=failure, calls=calls)
            case Retry(failure):
                return Verdict(pair.key, failure=failure, counted=True, calls=calls)

    async def finish(self, outcome: Verdict) -> None:
        """Write the verdict and route its jobs."""
        await self._group.put(outcome)

    async def _write(self, verdicts: Sequence[Verdict]) -> None:
        calls = [call for verdict in verdicts for call in verdict.calls]
        statements: list[tuple[str, dict[str, Any]]] = []
        if calls:
            statements.append(("settle_calls", {"calls": as_json(calls)}))
        unused = [call_id for verdict in verdicts for call_id in verdict.unused]
        if unused:
            statements.append(("drop_calls", {"ids": unused}))
        failed = [verdict for verdict in verdicts if verdict.state is not None]
        again = [
            {"key": verdict.key, "back": int(not verdict.counted)}
            for verdict in verdicts
            if verdict.state is None and verdict.task is None
        ]
        found = {verdict.key: verdict.task for verdict in verdicts if verdict.task is not None}
        if failed:
            statements.append(("fail_pending", self._failures(failed)))
        if again:
            statements.append(("retry_pending", {"rows": as_json(again), "owner": self._owner}))
        if found:
            statements.append(("finish_pending", self._found(found)))
        await self._db.run_all(statements)
        self._desk.journal.settled(call["id"] for call in calls)

    def _failures(self, failed: Sequence[Verdict]) -> dict[str, Any]:
        rows = [
            {
                "key": verdict.key,
                "state": verdict.state,
                "reason": verdict.reason,
                "error": verdict.failure.as_json() if verdict.failure else None,
            }
            for verdict in failed
        ]
        return {"rows": as_json(rows), "owner": self._owner}

    def _found(self, found: Mapping[UUID, TaskType]) -> dict[str, Any]:
        verdicts = [{"key": key, "task": task} for key, task in found.items()]
        return {
            "verdicts": as_json(verdicts),
            "routes": as_json(all_routes(set(found.values()), self._config)),
            "languages": list(self._config.languages),
        }

    async def release(self, held: Sequence[Held]) -> None:
        """Give pairs back, without a trace."""
        ids = [item.lease for item in held]
        await self._db.run("release_pending", ids=ids, owner=self._owner)

    async def renew(self, leases: Collection[Lease]) -> set[Lease]:
        """Prolong leases. Raises psycopg.OperationalError when Postgres is away."""
        params = {"ids": list(leases), "owner": self._owner, "lease_s": LEASE_S}
        [rows] = await self._db.run_once([("renew_pending", params)])
        return {row["id"] for row in rows}
