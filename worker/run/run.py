"""Run: ask the engine, check the answer, mend it once, and judge what came.

`run` reads in the order in which it happens. What each thing comes to is decided in judge.py.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from models.failure import Failure
from models.words import Scope, TaskType
from worker.calls.access import EngineAccess
from worker.calls.answer import Invalid, Valid, check, matching
from worker.calls.caller import REPAIR, WHOLE, Caller
from worker.calls.prices import PriceBook
from worker.calls.reservations import NotReserved
from worker.calls.retry import GiveUp, Wait, internal
from worker.flow.stage import Slot
from worker.llm.engine import Completion, EngineError, Request, Trouble
from worker.log import logger
from worker.prompts.markers import restored
from worker.run.echo import echo
from worker.run.job import Found, Job, Reading
from worker.run.judge import judge, judge_budget, judge_error, judge_parts, judge_reading
from worker.run.lists import (
    TEXT_PER_ANSWER,
    Question,
    apart,
    clipped,
    further,
    halves,
    list_room,
    parted,
)
from worker.run.merge import Seen, look, merge
from worker.run.outcome import Outcome, Part, Split, Turn
from worker.run.parts import (
    first_level,
    most_said,
    next_level,
    partial_answers,
    seen_in,
    text_of,
)
from worker.run.requests import Requests
from worker.run.reread import stands
from worker.run.wide import lists, pieced
from worker.run.windows import Window, around, tokens, whole
from worker.tokens import Script


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
    told = job.manner.as_json()
    return Turn(job.id, job.batch_id, outcome, caller.calls, caller.unused, is_reading, told)


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
    if job.reading is None and len(talk.requests.schemas) > 1:
        return None
    if await talk.parts():
        return None
    return await access.prepared(talk.requests.first(text_of(job.pieces)))


def version(job: Job) -> str:
    """Of its prompt, in this try: a crash asks the same again and finds its answer, another try
    after a bad answer asks anew."""
    return f"{job.manner.version}#{job.attempt}"


@dataclass(frozen=True)
class _Conversation:
    """The prompts of one job, in order."""

    job: Job
    access: EngineAccess
    caller: Caller

    async def outcome(self) -> Outcome:
        """Ask, or put together what the parts said, or split: also where the engine finds the
        whole too long that was thought to fit. Raises EngineError."""
        try:
            return await self._outcome()
        except EngineError as error:
            if error.trouble is not Trouble.CONTEXT_EXCEEDED or not (parts := self._smaller()):
                raise
            return Split(parts)

    async def _outcome(self) -> Outcome:
        job = self.job
        if job.reading is not None:
            return await self._read_again(job.reading)
        if job.known is not None:
            call_id = self.caller.reuse(job.known)
            return judge(job, Valid(job.known.value), call_id, self._prices)
        if (hopeless := judge_parts(job)) is not None:
            return hopeless
        if job.found:
            return await self._put_together()
        if parts := await self.parts():
            return Split(parts)
        if job.task is TaskType.EXTRACTION:
            return await self._extracted()
        call_id, checked = await self._said(whole(job.pieces))
        return judge(job, checked, call_id, self._prices)

    async def _said(self, window: Window) -> tuple[UUID, Valid | Invalid]:
        """The answer about a text; where an engine finds it too long, what is put together of the
        answers about its halves. Raises EngineError."""
        job = self.job
        try:
            return await self._asked(job.answer_schema, text_of(window.pieces))
        except EngineError as error:
            smaller = self._in_place_of(error, parted(window))
        found = list[Found]()
        for number, each in enumerate(smaller, start=1):
            call_id, checked = await self._said(each)
            if isinstance(checked, Invalid):
                return call_id, checked
            found.append(Found(number, checked.value, call_id))
        if job.task is TaskType.CLASSIFICATION:
            return call_id, Valid(most_said(found))
        return await self._asked(job.answer_schema, partial_answers(found))

    def _in_place_of(self, error: EngineError, smaller: Sequence[Any]) -> Sequence[Any]:
        """What is asked in this turn in place of what an engine finds too long: a whole document
        is rather parted, so that its parts run side by side. Raises the error where it is none of
        these."""
        if error.trouble is not Trouble.CONTEXT_EXCEEDED or not smaller or self._smaller():
            raise error
        return smaller

    def _smaller(self) -> tuple[Part, ...]:
        """The parts of a document that an engine finds too long as a whole: of half of it at
        most."""
        job = self.job
        if job.is_part or job.reading is not None or job.facts.scope is not Scope.DOCUMENT:
            return ()
        if job.found:
            half = (
                sum(part.tokens for part in next_level(job.found, job.level, 1, self._rates)) // 2
            )
            parts = next_level(job.found, job.level, half, self._rates)
        else:
            half = sum(part.tokens for part in first_level(job.pieces, 1, self._rates)) // 2
            parts = first_level(job.pieces, half, self._rates)
        return parts if len(parts) > 1 else ()

    async def _read_again(self, reading: Reading) -> Outcome:
        """Asked once, and not mended: where that brings nothing the first answer stands."""
        job, text = self.job, text_of(self.job.pieces)
        if (hopeless := judge_reading(job)) is not None:
            return hopeless
        if await self.parts():
            failure = Failure("too_long", "run", False, "its text does not fit into one prompt")
            return GiveUp(failure)
        request = self.requests.second(reading, text)
        call_id, _, checked = await self._checked(request, job.accepted_schema, text, WHOLE)
        return judge(job, checked, call_id, self._prices)

    @cached_property
    def requests(self) -> Requests:
        """What it asks its engine."""
        return Requests(self.job, self.access.deployment.config)

    @property
    def _prices(self) -> PriceBook:
        return self.access.ledger.prices

    @property
    def _rates(self) -> Mapping[Script, float]:
        return self.access.rates.of(self.job.place.model).safe

    async def parts(self) -> tuple[Part, ...]:
        """Those that its text is asked about in; none: it is asked about as a whole. Raises
        EngineError."""
        if self.job.is_part:
            return ()
        room_tokens = await self._room()
        parts = first_level(self.job.pieces, room_tokens, self._rates)
        if len(parts) > 1 and self._has_lists:
            room_tokens = list_room(room_tokens, self.job.max_tokens)
            parts = first_level(self.job.pieces, room_tokens, self._rates)
        return parts if len(parts) > 1 else ()

    @property
    def _has_lists(self) -> bool:
        job = self.job
        return job.task is TaskType.EXTRACTION and bool(lists(job.answer_schema, job.max_tokens))

    async def _put_together(self) -> Outcome:
        job = self.job
        match job.task:
            case TaskType.EXTRACTION:
                return self._merged(seen_in(job.pieces, job.found), job.found[-1].call_id)
            case TaskType.CLASSIFICATION:
                said = Valid(most_said(job.found))
                return judge(job, said, job.found[-1].call_id, self._prices)
        parts = next_level(job.found, job.level, await self._room(), self._rates)
        if len(parts) > 1 and not job.is_part:
            return Split(parts)
        call_id, checked = await self._asked(job.answer_schema, partial_answers(job.found))
        return judge(job, checked, call_id, self._prices)

    def _merged(self, seen: Sequence[Seen], call_id: UUID) -> Outcome:
        """One answer of several, which has to match the whole schema."""
        job = self.job
        schema = pieced(job.answer_schema) if job.is_part else job.answer_schema
        one = clipped(merge(seen, schema), schema)
        return judge(job, matching(one.value, schema), call_id, self._prices, one)

    async def _extracted(self) -> Outcome:
        """Ask for all fields, and go on where a list or a schema is more than one answer holds."""
        job, seen, call_id = self.job, list[Seen](), self.job.call_id
        questions = deque(Question(schema, self._window()) for schema in self.requests.schemas)
        while questions:
            question = questions.popleft()
            text = text_of(question.window.pieces)
            try:
                call_id, checked = await self._asked(question.schema, text)
            except EngineError as error:
                smaller = self._in_place_of(error, apart(question))
                questions.extendleft(reversed(smaller))
                continue
            if isinstance(checked, Valid):
                is_whole = not job.is_part and question.window == self._window()
                found = look(
                    job.task,
                    checked.value,
                    question.schema,
                    question.window,
                    is_whole=is_whole,
                    shown=job.manner.said,
                )
                found, more = further(question, found, job.max_tokens)
                seen.append(found)
            elif checked.category != "truncated" or not (more := halves(question, job.max_tokens)):
                return judge(job, checked, call_id, self._prices)
            if more and (parts := self._list_parts(question.window)):
                return Split(parts)
            questions.extendleft(reversed(more))
        return self._merged(seen, call_id)

    def _window(self) -> Window:
        job = self.job
        if not (job.beside and self._has_lists):
            return whole(job.pieces)
        pieces = sorted((*job.beside, *job.pieces), key=lambda piece: piece.start)
        own = whole(job.pieces)
        return around(pieces, own.start, own.end)

    def _list_parts(self, window: Window) -> tuple[Part, ...]:
        """Those that a whole document is asked in after all, since its list is long."""
        job = self.job
        if job.is_part or job.facts.scope is not Scope.DOCUMENT:
            return ()
        room_tokens = tokens(window, window.start, window.end)
        if room_tokens <= TEXT_PER_ANSWER * job.max_tokens:
            return ()
        parts = first_level(job.pieces, list_room(room_tokens, job.max_tokens))
        return parts if len(parts) > 1 else ()

    async def _asked(self, schema: Mapping[str, Any], text: str) -> tuple[UUID, Valid | Invalid]:
        """The answer about a text, mended once where it is bad."""
        job, request = self.job, self.requests.about(schema, text)
        call_id, completion, checked = await self._checked(request, schema, text, WHOLE)
        if isinstance(checked, Invalid) and checked.category != "content_filter":
            repair = self.requests.repair(request, completion, checked, schema)
            try:
                call_id, _, checked = await self._checked(repair, schema, text, REPAIR)
            except EngineError as error:  # more room than the model has: what there is, is judged
                if repair.max_tokens == job.max_tokens or error.trouble is not Trouble.MODEL_UNFIT:
                    raise
        return call_id, checked

    async def _checked(
        self, request: Request, schema: Mapping[str, Any], text: str, purpose: str
    ) -> tuple[UUID, Completion, Valid | Invalid]:
        call_id, completion = await self.caller.ask(request, version(self.job), purpose)
        checked = check(completion, schema)
        if isinstance(checked, Valid):
            checked = self._looked_at(restored(checked.value), schema, text)
        return call_id, completion, checked

    def _looked_at(
        self, value: dict[str, Any], schema: Mapping[str, Any], text: str
    ) -> Valid | Invalid:
        """What fits the schema, and still may say nothing."""
        job = self.job
        if job.found and job.reading is None:
            return Valid(value)  # an answer put together of answers: no text to compare it with
        if (alone := job.asked_alone) is not None:
            value = {name: said for name, said in value.items() if name in alone["properties"]}
        return echo(job.manner, value, schema, text) or Valid(value)

    async def _room(self) -> int:
        """Tokens of a prompt that its text may have. Raises EngineError."""
        traits = await self.access.traits(self.job.place.model)
        return self.requests.room(traits, self._rates)
