"""The classify stage: asks the local engine about asks that the steps before it are not sure of,
and routes the jobs that waited.

Always in the building, whatever the policy: nothing has been cleared to leave yet. An ask is asked
about once, without any document; every job is routed by its own facts.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from models.config import Config
from models.examples import from_json
from models.failure import Failure
from models.states import JobState
from models.words import Finder, Queue, Scope, Stage, TaskType
from worker.calls.access import EngineAccess
from worker.calls.answer import Invalid, check
from worker.calls.asks import recent_asks
from worker.calls.caller import CLASSIFY, Caller
from worker.calls.ledger import CallRow, bare
from worker.calls.retry import (
    DEADLY,
    GiveUp,
    Retry,
    Setback,
    Wait,
    after_engine_error,
    after_fault,
    internal,
    unwritable,
)
from worker.classify.cascade import Verdict, confidence
from worker.classify.learned import Learned
from worker.classify.models import recent_models
from worker.configs import Configs
from worker.db import Database, Row, Statement
from worker.flow.group_commit import GATHER_S, GroupCommit
from worker.flow.stage import Claimed, Held, Lease, Slot, put_back
from worker.jsonb import as_json
from worker.llm.engine import EngineError, Request, Trouble
from worker.log import logger
from worker.prompts import CLASSIFY_SCHEMA, classify_messages, fixed_tokens, manner
from worker.prompts.files import prompt
from worker.route import Facts, route
from worker.settings import LEASE_S, TWIN_S

MAX_TOKENS = 40
"""Room for {"task": "classification"} and an engine's white space."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A leased job: its ask, and the model that is to say what task type it is."""

    row: Row
    ask: Row
    config: Config
    """Its batch's."""
    learned: Learned
    """What was not sure of it."""

    @property
    def model(self) -> str:
        """Whose queue it was taken from: its batch may name another one by now."""
        return str(self.row["model"])

    @property
    def attempts(self) -> int:
        """Tries of the pair that ended badly, before this one."""
        return int(self.row["attempts"])

    @property
    def deaths(self) -> int:
        """How often the engine went down in the middle of its call."""
        return int(self.row["deaths"])


@dataclass(frozen=True, slots=True)
class Sorted:
    """What became of a job that waited for its task type."""

    pair: Pair
    result: Verdict | Setback
    calls: list[CallRow] = field(default_factory=list)
    unused: list[UUID] = field(default_factory=list)
    """Calls in the ledger that never went out."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A row for classify/finish.sql."""

    job_id: int
    state: JobState
    task: str | None = None
    found_by: str | None = None
    found_version: str | None = None
    confidence: float | None = None
    escalation_reason: str | None = None
    zone: str | None = None
    engine: str | None = None
    model: str | None = None
    bulk: bool | None = None
    fixed_tokens: int | None = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PairRow:
    """A row for classify/verdicts.sql: what was found of a pair, or what the try counts as."""

    key: UUID
    job_id: int
    task: str | None = None
    found_by: str | None = None
    found_version: str | None = None
    confidence: float | None = None
    attempts: int = 0
    waits: int = 0
    deaths: int = 0


class ClassifyStage:
    """Classifies with one local engine."""

    def __init__(self, db: Database, access: EngineAccess, configs: Configs, owner: UUID) -> None:
        self._db = db
        self._access = access
        self._configs = configs
        self._owner = owner
        self._asks = recent_asks(db)
        self._learned = recent_models(db)
        self._group: GroupCommit[Sorted] = GroupCommit(self._write, gather_s=GATHER_S)

    async def claim(self, queue: Queue, claim: UUID, most: int) -> Claimed:
        """Lease jobs. Those whose pair is known are routed right here."""
        deployment = self._access.deployment
        shared = {"claim": claim, "owner": self._owner}
        take = {"queue": queue.name, "stage": Stage.CLASSIFY, "most": most, "lease_s": LEASE_S}
        reserve = {
            "engine": deployment.name,
            "kind": deployment.config.kind,
            "host": deployment.host,
            "model": queue.model,
        }
        taken, rows = await self._db.run_each(
            [("flow/take", {**shared, **take}), ("classify/claim", {**shared, **reserve})]
        )
        asks = await self._asks.of({row["ask_id"] for row in rows})
        learned = await self._learned.of({row["learned_model"] for row in rows})
        pairs = [
            Pair(
                row,
                asks[row["ask_id"]],
                await self._configs.of(row["configuration_id"]),
                learned[row["learned_model"]],
            )
            for row in rows
        ]
        await self._route_known([pair for pair in pairs if pair.row["task"]])
        await self._put_off([pair for pair in pairs if not _to_ask(pair) and not pair.row["task"]])
        held = [
            Held(
                Lease(Stage.CLASSIFY, pair.row["id"], claim),
                pair.row["line_id"],
                pair,
                alone=pair.deaths > 0,
            )
            for pair in pairs
            if _to_ask(pair) and not pair.row["task"]
        ]
        return Claimed(len(taken), held)

    async def _route_known(self, pairs: Sequence[Pair]) -> None:
        await asyncio.gather(*(self.finish(Sorted(pair, _known(pair))) for pair in pairs))

    async def _put_off(self, twins: Sequence[Pair]) -> None:
        if twins:
            ids = [pair.row["id"] for pair in twins]
            await self._db.run_all([put_back(Stage.CLASSIFY, ids, self._owner, TWIN_S)])

    async def work(self, held: Held, slot: Slot) -> Sorted:
        """Ask which task type it is; returns what came of it whatever happens."""
        pair: Pair = held.payload
        caller = Caller(self._access, slot, pair.row["id"], pair.row["call_id"], {})
        try:
            result = await self._asked(pair, caller)
        except EngineError as error:
            result = self._after_error(pair, error)
        except asyncio.CancelledError:
            result = Wait(Failure("interrupted", "classify", True, "the worker was stopped"), 0.0)
        except Exception as exc:  # a fault of ours: an attempt, so that it ends some day
            logger().exception("internal error", job=pair.row["id"])
            caller.lose_open(exc)
            most = pair.config.limits.attempts
            result = internal(exc, phase="classify", attempts=pair.attempts + 1, max_attempts=most)
        return Sorted(pair, _fallen_back(pair, result), caller.calls, caller.unused)

    async def _asked(self, pair: Pair, caller: Caller) -> Verdict | Setback:
        engine = self._access.deployment.config
        carries = engine.carries_examples(pair.model)
        messages = classify_messages(pair.ask["text"], examples=carries)
        request = Request(
            model_name=pair.model,
            messages=messages,
            max_tokens=MAX_TOKENS,
            context_tokens=engine.context_tokens,
            schema=CLASSIFY_SCHEMA,
            fixed=len(messages) - 1,
        )
        version = f"{prompt('classify').version}#{pair.attempts + 1}"
        _, completion = await caller.ask(request, version, CLASSIFY)
        checked = check(completion, CLASSIFY_SCHEMA)
        if isinstance(checked, Invalid):
            failure = Failure(checked.category, "classify", True, checked.problem)
            most = pair.config.limits.attempts
            return after_fault(failure, attempts=pair.attempts + 1, max_attempts=most)
        said = TaskType(checked.value["task"])
        shares = pair.learned.probabilities(pair.ask["text"], pair.ask["json_schema"])
        return Verdict(said, Finder.MODEL, confidence(said, shares), prompt("classify").version)

    def _after_error(self, pair: Pair, error: EngineError) -> Setback:
        own = self._access.trouble(pair.model, error)
        pause_s = self._access.gate(pair.model).pause_s
        if error.trouble is Trouble.DIED and own:
            failure = Failure(str(error.trouble), "classify", True, str(error))
            return Wait(failure, pause_s) if pair.deaths + 1 < DEADLY else GiveUp(failure)
        return after_engine_error(
            error,
            phase="classify",
            attempts=pair.attempts + 1,
            max_attempts=pair.config.limits.attempts,
            own=own,
            pause_s=pause_s,
        )

    async def finish(self, outcome: Sorted) -> None:
        """Write the verdict and route its job."""
        await self._group.put(outcome)

    async def _write(self, group: Sequence[Sorted]) -> None:
        calls = [call for one in group for call in one.calls]
        unused = [call_id for one in group for call_id in one.unused]
        jobs = [row for one in group if (row := job_row(one)) is not None]
        pairs = [pair_row(one) for one in group if _to_ask(one.pair)]
        statements: list[Statement] = []
        if calls:
            statements.append(("calls/settle", {"calls": as_json(calls)}))
        if unused:
            statements.append(("calls/drop", {"ids": unused}))
        if pairs:
            statements.append(("classify/verdicts", {"rows": as_json(pairs)}))
        if jobs:
            statements.append(("classify/finish", {"rows": as_json(jobs), "owner": self._owner}))
        for one in group:
            if isinstance(one.result, Wait | Retry):
                delay_s = one.result.delay_s or None
                statements.append(
                    put_back(Stage.CLASSIFY, [one.pair.row["id"]], self._owner, delay_s)
                )
        await self._db.run_all(statements)
        self._access.journal.settled(call.id for call in calls)

    def refused(self, outcome: Sorted, exc: Exception) -> Sorted:
        """The job has failed; its calls stand in the ledger as they were, or as lost."""
        tried = isinstance(outcome.result, GiveUp)
        calls = [bare(call) for call in outcome.calls] if tried else outcome.calls
        return replace(outcome, result=GiveUp(unwritable(exc, "classify")), calls=calls)

    async def release(self, held: Sequence[Held]) -> None:
        """Back in line, without a trace."""
        ids = [item.lease.item for item in held]
        unused = [item.payload.row["call_id"] for item in held]
        await self._db.run_all(
            [("calls/drop", {"ids": unused}), put_back(Stage.CLASSIFY, ids, self._owner)]
        )


def _to_ask(pair: Pair) -> bool:
    return bool(pair.row["to_ask"])


def _known(pair: Pair) -> Verdict:
    row = pair.row
    return Verdict(
        TaskType(row["task"]), Finder(row["found_by"]), row["confidence"], row["found_version"]
    )


def _fallen_back(pair: Pair, result: Verdict | Setback) -> Verdict | Setback:
    """A verdict that cannot be had is the configured one, and the row says so."""
    if isinstance(result, GiveUp):
        return Verdict(pair.config.classifier.fallback, Finder.FALLBACK)
    return result


def job_row(one: Sorted) -> JobRow | None:
    """What becomes of the job; None: it goes back in line."""
    if isinstance(one.result, GiveUp):
        return JobRow(one.pair.row["id"], JobState.FAILED, error=one.result.failure.as_json())
    if not isinstance(one.result, Verdict):
        return None
    row, found = one.pair.row, one.result
    facts = Facts(
        found.task,
        found.found_by,
        found.confidence,
        row["language"],
        row["tokens"],
        Scope.CHUNK if row["chunk_id"] is not None else Scope.DOCUMENT,
        row["local_only"],
        row["pinned"],
        row["allow_provider_batch"],
        one.pair.ask["place"],
    )
    way = route(facts, one.pair.config)
    place = way.first
    ask = one.pair.ask
    return JobRow(
        row["id"],
        JobState.READY,
        found.task,
        found.found_by,
        found.version,
        found.confidence,
        way.reason,
        place.zone,
        place.engine,
        place.model,
        way.bulk,
        fixed_tokens(
            manner(
                found.task,
                place.model,
                row["language"],
                number=ask["prompt"] or one.pair.config.prompts.get(found.task),
                examples=one.pair.config.engines[place.engine].carries_examples(place.model),
            ),
            ask["text"],
            ask["json_schema"],
            from_json(ask["examples"]),
        ),
    )


def pair_row(one: Sorted) -> PairRow:
    """What is remembered of the pair, a fallback too: equal pairs need not be tried in vain."""
    key, job = one.pair.row["key"], one.pair.row["id"]
    match one.result:
        case Verdict(task, found_by, likely, version):
            return PairRow(key, job, task, found_by, version, likely)
        case Wait(failure):
            return PairRow(key, job, waits=1, deaths=int(failure.category == Trouble.DIED))
        case _:
            return PairRow(key, job, attempts=1)
