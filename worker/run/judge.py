"""What a job's answer, or its absence, comes to. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from models.failure import Failure
from models.reasons import HoldCode
from models.words import TaskType
from worker.calls.answer import Invalid, Valid
from worker.calls.prices import PriceBook
from worker.calls.retry import ANOTHER_ENGINE_MAY, DEADLY, GiveUp, after_engine_error, after_fault
from worker.jsonb import dumps
from worker.llm.engine import Concern, EngineError, Trouble
from worker.llm.grammar import grammar
from worker.run.job import Job
from worker.run.merge import Seen, look
from worker.run.outcome import Done, Escalate, HoldRow, Outcome, OverBudget, Suspect
from worker.run.reread import looked_up, next_reading, own_checks, read_again
from worker.run.windows import whole

ENGINE_KILLER = "engine_killer"
"""Category of a job that its engine went down with, twice."""

SHOWN_CHARS = 300

PATIENT_TRIES = 2
"""So many time-outs or server errors of its own before a job tries the next engine."""

REFUND_S = 0.5
"""For how long a budget that calls under way may give something back to is let be."""

SHORT_OF = {"batch": HoldCode.BUDGET, "day": HoldCode.DAY_BUDGET, "price": HoldCode.NO_PRICE}


def judge(
    job: Job,
    checked: Valid | Invalid,
    call_id: UUID,
    prices: PriceBook,
    seen: Seen | None = None,
) -> Outcome:
    """An answer: taken, sent on to the next place of the chain, whole or the fields in question, or
    tried again. `seen`: what its text says of it, where that is known."""
    if isinstance(checked, Valid):
        return _judged(job, checked.value, call_id, prices, seen)
    again = checked.category != Trouble.CONTENT_FILTER and job.reading is None
    failure = Failure(checked.category, "run", again, checked.problem)
    return _next(job, failure) or _fault(job, failure)


def _judged(
    job: Job, value: dict[str, object], call_id: UUID, prices: PriceBook, seen: Seen | None
) -> Outcome:
    if job.task is not TaskType.EXTRACTION:
        has_own = job.own is not None and not job.is_part
        return Done(value, None, None, call_id, own_checks(job, value, {}) if has_own else None)
    if job.is_part:
        seen = seen or look(
            job.task, value, job.answer_schema, whole(job.pieces), shown=job.manner.said
        )
        return Done(value, None, dict(seen.spans), call_id, dict(seen.fields))
    if job.reading is not None:
        done = read_again(job, value, call_id)
    else:
        done = looked_up(job, value, call_id, {}, seen)
    return next_reading(job, done, prices) or done


def judge_error(job: Job, error: EngineError, *, own: bool, pause_s: float) -> Outcome:
    """No answer. `own`: the engine's gate says that it is this prompt's fault."""
    failure = Failure(str(error.trouble), "run", error.concern is Concern.PASSING, str(error))
    if error.trouble is Trouble.DIED and own:
        return _judge_death(job, failure, pause_s)
    about_this_engine = own and error.trouble in ANOTHER_ENGINE_MAY and _tried_enough(job, error)
    if about_this_engine and (onward := _next(job, failure)) is not None:
        return onward
    return after_engine_error(
        error,
        phase="run",
        attempts=job.attempt,
        max_attempts=job.config.limits.attempts,
        own=own,
        pause_s=pause_s,
    )


def _judge_death(job: Job, failure: Failure, pause_s: float) -> Outcome:
    """The first time it may have been another call's fault: the second time there was no other."""
    if job.deaths + 1 < DEADLY:
        return Suspect(failure, pause_s)
    killer = Failure(ENGINE_KILLER, "run", False, f"{failure.message}; {_asked(job)}")
    return _next(job, killer, of_another_kind=True) or GiveUp(killer)


def _asked(job: Job) -> str:
    """What was sent, in short: enough to find out what no engine of that kind should be sent."""
    ordinals = [piece.ordinal for piece in job.pieces]
    text = f"chunks {min(ordinals)} to {max(ordinals)}" if ordinals else "answers of its parts"
    schema = dumps(grammar(job.answer_schema).schema).decode()
    return (
        f"this was call {DEADLY} in whose middle it did, sent alone: text: {text}; "
        f"schema: {schema[:SHOWN_CHARS]}"
    )


def _tried_enough(job: Job, error: EngineError) -> bool:
    return error.concern is not Concern.PASSING or job.attempt >= PATIENT_TRIES


def judge_parts(job: Job) -> GiveUp | None:
    """A part that could not be answered leaves the whole without an answer."""
    if job.broken is None:
        return None
    why = job.broken
    message = f"a part of the document: {why.category}: {why.message}"
    return GiveUp(Failure("part_failed", "run", why.retryable, message))


def judge_reading(job: Job) -> GiveUp | None:
    """A second reading that no budget covers is not made."""
    if job.reading is None or job.reading.short_of is None:
        return None
    code = SHORT_OF[job.reading.short_of]
    return GiveUp(Failure(code, "run", False, "no budget covers a second reading"))


def judge_budget(
    batch_id: int, short_of: str, about: Mapping[str, Any], *, under_way: bool
) -> OverBudget:
    """A budget does not cover a job's next call. `under_way`: calls that are may give something
    back, so what is held is let go again in a moment."""
    code = SHORT_OF[short_of]
    batch = None if code is HoldCode.DAY_BUDGET else batch_id
    hold = HoldRow(batch, code, dict(about))
    if code is HoldCode.NO_PRICE:
        hold = replace(hold, model=about["model"])
    elif under_way:
        hold = replace(hold, code=HoldCode.BUDGET_UNDER_WAY, delay_s=REFUND_S)
    failure = Failure(str(hold.code), "run", True, "the budget does not cover this job")
    return OverBudget(hold, failure)


def _next(job: Job, failure: Failure, *, of_another_kind: bool = False) -> Escalate | None:
    """The next place of its chain; of another kind of engine, where this kind must not have it."""
    engines = job.config.engines
    for step, place in job.route.after(job.step):
        if not of_another_kind or engines[place.engine].kind != engines[job.place.engine].kind:
            return Escalate(place, step, job.place, failure)
    return None


def _fault(job: Job, failure: Failure) -> Outcome:
    return after_fault(failure, attempts=job.attempt, max_attempts=job.config.limits.attempts)
