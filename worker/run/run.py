"""Run: ask the engine, check the answer, mend it once, and judge what came.

`run` reads in the order in which it happens. What each thing comes to is decided in judge.py.
"""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from models.failure import Failure
from worker.calls.access import EngineAccess
from worker.calls.answer import Invalid, Valid, check
from worker.calls.caller import REPAIR, WHOLE, Caller
from worker.calls.prepare import room
from worker.calls.prices import PriceBook
from worker.calls.reservations import NotReserved
from worker.calls.retry import GiveUp, Wait, internal
from worker.flow.stage import Slot
from worker.llm.engine import Completion, EngineError, Message, Request, Trouble
from worker.llm.grammar import bounded, grammar
from worker.log import logger
from worker.prompts import (
    SECOND_READING,
    form,
    prompt,
    prompt_tokens,
    reading_messages,
    repair_messages,
    task_messages,
)
from worker.prompts.markers import restored
from worker.run.echo import echo
from worker.run.job import Job
from worker.run.judge import judge, judge_budget, judge_error, judge_parts, judge_reading
from worker.run.outcome import Outcome, Part, Split, Turn
from worker.run.parts import first_level, merge, next_level, partial_answers, text_of
from worker.run.reread import stands

SECOND_TRY_TEMPERATURE = 0.4
"""At temperature 0 the same prompt would bring the same bad answer again."""

SAY_AGAIN = frozenset({"loop", "empty"})
"""Answers that hold nothing to mend: the same is asked with other draws."""

SPARE_TOKENS = 64


async def run(job: Job, access: EngineAccess, slot: Slot) -> Turn:
    """Take one claimed job to its outcome, whatever happens on the way."""
    caller = Caller(
        access,
        slot,
        job.id,
        job.call_id,
        job.earlier,
        job.ask_id,
        is_answered=job.is_answered,
    )
    try:
        outcome = await _Conversation(job, access, caller).outcome()
    except EngineError as error:
        own = access.trouble(job.place.model, error)
        pause_s = access.gate(job.place.model).pause_s
        outcome = judge_error(job, error, own=own, pause_s=pause_s)
    except NotReserved as refusal:
        outcome = _not_reserved(job, refusal)
    except asyncio.CancelledError:
        # The worker is leaving, or lost the lease. Its call is lost; the job goes back in line.
        outcome = Wait(Failure("interrupted", "run", True, "the worker was stopped"), 0.0)
    except Exception as exc:  # a fault of ours: an attempt, so that it ends some day
        logger().exception("internal error", job=job.id)
        caller.lose_open(exc)
        most = job.config.limits.attempts
        outcome = internal(exc, phase="run", attempts=job.attempt, max_attempts=most)
    outcome = stands(job, outcome, access.ledger.prices)
    is_reading = job.reading is not None
    return Turn(job.id, job.batch_id, outcome, caller.calls, caller.unused, is_reading)


def _not_reserved(job: Job, refusal: NotReserved) -> Outcome:
    if refusal.short_of is None:
        return Wait(Failure("lease_lost", "run", True, "another worker has this job"), 0.0)
    return judge_budget(job.batch_id, refusal.short_of, refusal.about, under_way=refusal.under_way)


async def first_request(job: Job, access: EngineAccess) -> Request | None:
    """What a job would ask first, for whoever asks it beforehand; None: nothing, or nothing about
    its text as a whole. Raises EngineError."""
    talk = _Conversation(job, access, Caller(access, nullcontext(), job.id, job.call_id, {}))
    if job.known is not None or job.earlier or job.found or judge_parts(job) is not None:
        return None
    if await talk.parts():
        return None
    return await access.prepared(talk.question(text_of(job.pieces)))


def version(job: Job) -> str:
    """Of its prompt, in this try: a crash asks the same again and finds its answer, another try
    after a bad answer asks anew."""
    name = job.task if job.reading is None else SECOND_READING
    return f"{prompt(name).version}#{job.attempt}"


@dataclass(frozen=True, slots=True)
class _Conversation:
    """The prompts of one job, in order."""

    job: Job
    access: EngineAccess
    caller: Caller

    async def outcome(self) -> Outcome:
        """Ask, or put together what the parts said, or split."""
        job = self.job
        if job.reading is not None:
            return await self._read_again()
        if job.known is not None:
            call_id = self.caller.reuse(job.known)
            return judge(job, Valid(job.known.value), call_id, self._prices)
        if (hopeless := judge_parts(job)) is not None:
            return hopeless
        if job.found:
            return await self._put_together()
        if parts := await self.parts():
            return Split(parts)
        return await self._asked(text_of(job.pieces))

    async def _read_again(self) -> Outcome:
        """Asked once, and not mended: where that brings nothing the first answer stands."""
        job = self.job
        if (hopeless := judge_reading(job)) is not None:
            return hopeless
        if await self.parts():
            failure = Failure("too_long", "run", False, "its text does not fit into one prompt")
            return GiveUp(failure)
        call_id, _, checked = await self._checked(self.question(text_of(job.pieces)), WHOLE)
        return judge(job, checked, call_id, self._prices)

    @property
    def _prices(self) -> PriceBook:
        return self.access.ledger.prices

    async def parts(self) -> tuple[Part, ...]:
        """Those that its text is asked about in; none: it is asked about as a whole. Raises
        EngineError."""
        parts = first_level(self.job.pieces, await self._room())
        return parts if len(parts) > 1 and not self.job.is_part else ()

    async def _put_together(self) -> Outcome:
        job = self.job
        merged = merge(job.task, [one.value for one in job.found])
        if merged is not None:
            return judge(job, Valid(merged), job.found[-1].call_id, self._prices)
        parts = next_level(job.found, job.level, await self._room())
        if len(parts) > 1 and not job.is_part:
            return Split(parts)
        return await self._asked(partial_answers(job.found))

    def question(self, text: str) -> Request:
        """The request about a text."""
        job = self.job
        if job.reading is None:
            return self._request(task_messages(job.task, job.ask, text, job.answer_schema))
        asked = job.reading.asked
        return self._request(reading_messages(job.ask, text, job.asked_schema, asked))

    async def _asked(self, text: str) -> Outcome:
        job, request = self.job, self.question(text)
        call_id, completion, checked = await self._checked(request, WHOLE)
        if isinstance(checked, Invalid) and checked.category != "content_filter":
            repair = self._repair(request, completion, checked)
            try:
                call_id, _, checked = await self._checked(repair, REPAIR)
            except EngineError as error:  # more room than the model has: what there is, is judged
                if repair.max_tokens == job.max_tokens or error.trouble is not Trouble.MODEL_UNFIT:
                    raise
        return judge(job, checked, call_id, self._prices)

    async def _checked(
        self, request: Request, purpose: str
    ) -> tuple[UUID, Completion, Valid | Invalid]:
        call_id, completion = await self.caller.ask(request, version(self.job), purpose)
        checked = check(completion, self._accepted())
        if isinstance(checked, Valid):
            checked = self._looked_at(restored(checked.value))
        return call_id, completion, checked

    def _accepted(self) -> Mapping[str, Any]:
        """What an answer must be. One that says more than a second reading asked is as good."""
        alone = self.job.asked_alone
        if alone is None:
            return self.job.answer_schema
        return {word: said for word, said in alone.items() if word != "additionalProperties"}

    def _looked_at(self, value: dict[str, Any]) -> Valid | Invalid:
        """What fits the schema, and still may say nothing."""
        job = self.job
        if job.found and job.reading is None:
            return Valid(value)  # an answer put together of answers: no text to compare it with
        if (alone := job.asked_alone) is not None:
            value = {name: said for name, said in value.items() if name in alone["properties"]}
        return echo(job.task, value, job.asked_schema, text_of(job.pieces)) or Valid(value)

    def _request(self, messages: tuple[Message, ...]) -> Request:
        job = self.job
        return Request(
            model_name=job.place.model,
            messages=messages,
            max_tokens=job.max_tokens,
            context_tokens=self.access.deployment.config.context_tokens,
            schema=self._schema(),
            temperature=0.0 if job.attempts == 0 else SECOND_TRY_TEMPERATURE,
            seed=2 * job.attempts,
            fixed=len(messages) - 1,
        )

    def _schema(self) -> Mapping[str, Any]:
        """What the engine gets of the schema."""
        schema = grammar(self.job.asked_schema).schema
        short = self.access.deployment.config.short_answers
        return bounded(schema, self.job.max_tokens) if short else schema

    def _repair(self, request: Request, completion: Completion, wrong: Invalid) -> Request:
        if wrong.category == "truncated":
            return replace(request, max_tokens=request.max_tokens * 2)
        if wrong.category in SAY_AGAIN:
            return replace(request, temperature=SECOND_TRY_TEMPERATURE, seed=request.seed + 1)
        messages = repair_messages(
            request.messages, completion.text, wrong.problem, self.job.answer_schema
        )
        return replace(request, messages=messages)

    async def _room(self) -> int:
        """Tokens left for text once the fixed part and the answer have theirs."""
        job, most = self.job, self.access.deployment.config.context_tokens
        whole = room(most, self._schema(), await self.access.traits(job.place.model))
        fixed = prompt_tokens(job.task, job.ask, form(job.answer_schema))
        return max(whole - fixed - job.max_tokens - SPARE_TOKENS, 1)
