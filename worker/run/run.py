"""Run: ask the engine, check the answer, mend it once, and say how it ended."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from models.config import Config
from models.failure import Failure
from models.words import TaskType, Tier
from worker.calls.answer import Invalid, Valid, bounded, check
from worker.calls.caller import Asking, Desk, NotReserved
from worker.calls.ledger import KnownAnswer
from worker.calls.retry import BUDGET, Hold, Wait, after_engine_error, after_fault
from worker.flow.stage import Slot
from worker.llm.engine import Completion, EngineError, Message, Request
from worker.prompts import form, prompt, prompt_tokens, repair_messages, task_messages
from worker.route import escalation
from worker.run.ground import Source, ground
from worker.run.outcome import Done, Escalate, Outcome, Turn
from worker.run.parts import merge, partial_answers, text_of, windows

SECOND_TRY_TEMPERATURE = 0.4
"""At temperature 0 the same prompt would bring the same bad answer again."""

SPARE_TOKENS = 64

NOT_COVERED = {
    "batch": "the budget does not cover a further call for this job; `docmill resume BATCH "
    "--max-cost USD` continues",
    "day": "the day's budget does not cover a further call for this job; it goes on at midnight "
    "UTC, or raise limits.usd_per_day and `docmill resume BATCH`",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job with everything that running it takes."""

    id: int
    batch_id: int
    local_only: bool
    """True also where private data keeps its text local."""
    task: TaskType
    tier: Tier
    model_name: str
    ask_id: int
    ask: str
    schema: Mapping[str, Any] | None
    pieces: tuple[Source, ...]
    attempts: int
    waits: int
    call_id: UUID
    earlier: dict[str, dict[str, Any]]
    known: KnownAnswer | None = None

    @property
    def answer_schema(self) -> Mapping[str, Any]:
        """The user's schema, or the task type's own."""
        schema = self.schema or prompt(self.task).schema
        assert schema is not None
        return schema


async def run(job: Job, desk: Desk, slot: Slot, config: Config) -> Turn:
    """Take one claimed job to its outcome. Nothing of the engine's trouble escapes."""
    asking = Asking(desk, slot, job.id, job.call_id, job.earlier, job.ask_id)
    conversation = Conversation(job, asking, desk, config)
    try:
        outcome = await conversation.outcome()
    except EngineError as error:
        outcome = _after_error(job, error, desk, config)
    except NotReserved as refusal:
        outcome = _after_refusal(refusal)
    except asyncio.CancelledError:
        # The worker is leaving, or lost the lease. Its call is lost; the job goes back in line.
        outcome = Wait(Failure("interrupted", "run", True, "the worker was stopped"), 0.0)
    finally:
        if desk.admission is not None:
            desk.admission.drop([job.id])  # an answer that was known needs no call
    return Turn(job.id, outcome, asking.calls, asking.unused)


def _after_refusal(refusal: NotReserved) -> Outcome:
    if refusal.short_of is None:
        return Wait(Failure("lease_lost", "run", True, "another worker has this job"), 0.0)
    said = NOT_COVERED[refusal.short_of]
    until = seconds_to_midnight(datetime.now(UTC)) if refusal.short_of == "day" else None
    return Hold(Failure(BUDGET, "run", True, said), said, until)


def seconds_to_midnight(now: datetime) -> float:
    """Until the next day in UTC, which is when a day's budget is new."""
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow - now).total_seconds()


def _after_error(job: Job, error: EngineError, desk: Desk, config: Config) -> Outcome:
    pause_s = desk.gate.trouble(error)
    return after_engine_error(
        error,
        phase="run",
        attempts=job.attempts,
        waits=job.waits,
        max_attempts=config.limits.attempts,
        engine_healthy=desk.gate.healthy,
        pause_s=pause_s,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer and the call that it came from."""

    call_id: UUID
    checked: Valid | Invalid


class Conversation:
    """The prompts of one job, in order."""

    def __init__(self, job: Job, asking: Asking, desk: Desk, config: Config) -> None:
        self.job = job
        self.asking = asking
        self.engine = desk.ledger.site.config
        self.config = config
        self.max_tokens = config.task(job.task).max_tokens

    async def outcome(self) -> Outcome:
        """Ask in as many parts as the text needs, and judge what came."""
        if self.job.known is not None:
            return self._judged(self.job.known.value, self.asking.reuse(self.job.known))
        groups = windows(self.job.pieces, self._room())
        answer = await self._whole(groups[0]) if len(groups) == 1 else await self._parts(groups)
        match answer.checked:
            case Valid(value):
                return self._judged(value, answer.call_id)
            case Invalid(category, problem):
                return self._bad(Failure(category, "run", True, problem))

    async def _whole(self, group: Sequence[Source]) -> Answer:
        return await self._valid(text_of(group), "run")

    async def _parts(self, groups: Sequence[Sequence[Source]]) -> Answer:
        values = []
        for group in groups:
            answer = await self._valid(text_of(group), "part")
            if isinstance(answer.checked, Invalid):
                return answer
            values.append(answer.checked.value)
        merged = merge(self.job.task, values)
        if merged is not None:
            return Answer(answer.call_id, Valid(merged))
        return await self._valid(partial_answers(values), "run")

    async def _valid(self, text: str, purpose: str) -> Answer:
        messages = task_messages(self.job.task, self.job.ask, text, self.job.answer_schema)
        request = self._request(messages)
        call_id, completion = await self._ask(request, purpose)
        checked = check(completion, self.job.answer_schema)
        if isinstance(checked, Valid) or checked.category == "content_filter":
            return Answer(call_id, checked)
        call_id, completion = await self._ask(self._repair(request, completion, checked), "repair")
        return Answer(call_id, check(completion, self.job.answer_schema))

    async def _ask(self, request: Request, purpose: str) -> tuple[UUID, Completion]:
        # The attempt is part of the key: a crash asks the same again and finds its answer, another
        # attempt after a bad answer asks anew.
        version = f"{prompt(self.job.task).version}#{self.job.attempts}"
        return await self.asking.ask(request, version, purpose)

    def _request(self, messages: tuple[Message, ...]) -> Request:
        schema = self.job.answer_schema
        return Request(
            model_name=self.job.model_name,
            messages=messages,
            max_tokens=self.max_tokens,
            context_tokens=self.engine.context_tokens,
            schema=bounded(schema, self.max_tokens) if self.engine.short_answers else schema,
            temperature=0.0 if self.job.attempts == 1 else SECOND_TRY_TEMPERATURE,
            fixed=len(messages) - 1,
        )

    def _repair(self, request: Request, completion: Completion, wrong: Invalid) -> Request:
        if wrong.category == "truncated":
            return replace(request, max_tokens=request.max_tokens * 2)
        messages = repair_messages(
            request.messages, completion.text, wrong.problem, self.job.answer_schema
        )
        return replace(request, messages=messages)

    def _room(self) -> int:
        """Tokens left for text once the fixed part and the answer have theirs."""
        fixed = prompt_tokens(self.job.task, self.job.ask, form(self.job.answer_schema))
        return max(self.engine.context_tokens - fixed - self.max_tokens - SPARE_TOKENS, 1)

    def _judged(self, value: dict[str, Any], call_id: UUID) -> Outcome:
        if self.job.task is not TaskType.EXTRACTION:
            return Done(value, None, None, call_id)
        found = ground(value, self.job.pieces)
        if found.grounded is False:
            target = self._escalation(
                Failure("ungrounded", "run", True, "a value is not in the text")
            )
            if target is not None:
                return target
        return Done(value, found.grounded, found.spans, call_id)

    def _bad(self, failure: Failure) -> Outcome:
        target = self._escalation(failure)
        if target is not None:
            return target
        return after_fault(
            failure, attempts=self.job.attempts, max_attempts=self.config.limits.attempts
        )

    def _escalation(self, failure: Failure) -> Escalate | None:
        job = self.job
        target = escalation(job.task, tier=job.tier, local_only=job.local_only, config=self.config)
        return Escalate(target, job.model_name, failure) if target is not None else None
