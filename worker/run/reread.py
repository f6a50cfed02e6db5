"""Second readings: which fields of an answer the next place of the chain reads again, and what is
taken of what it says. Pure.

It is asked about the fields, and not shown what was answered before, so that it is not led. What it
says goes through the same checks. It counts where they think no less of it: two readings are no
vote, and the next place is the one that the user thinks more of.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.reasons import FieldCode, FieldOutcome, StandsCode
from models.words import Zone
from worker.calls.prices import PriceBook
from worker.calls.retry import GiveUp
from worker.prompts import reading_messages
from worker.route import Place
from worker.run.ground import grounding
from worker.run.job import Job
from worker.run.lists import sizes
from worker.run.merge import Seen, look
from worker.run.outcome import Done, Escalate, Outcome, OverBudget, Reread
from worker.run.own.own import judged
from worker.run.parts import text_of
from worker.run.score import scored
from worker.run.verify.asked import asked_of
from worker.run.verify.check import FieldCheck
from worker.run.verify.gaps import gaps
from worker.run.windows import whole
from worker.tokens import estimate

Checks = Mapping[str, FieldCheck]

_OF_PARTS = frozenset({FieldCode.CUT_OFF, FieldCode.CONFLICT})

_WORTH = {FieldOutcome.WRONG: 0, FieldOutcome.CHECK: 1, FieldOutcome.SURE: 2}


def looked_up(
    job: Job,
    value: dict[str, Any],
    call_id: UUID,
    by: Mapping[str, str],
    seen: Seen | None = None,
    known: Checks | None = None,
) -> Done:
    """An answer with what its checks came to. `by`: who gave each of its fields; others are from
    where the job is. `seen`: what its text says of it, where that is known. `known`: what was
    found of it before, and does not show in the text."""
    seen = seen or look(
        job.task,
        value,
        job.answer_schema,
        whole(job.pieces),
        is_whole=True,
        shown=job.manner.said,
    )
    values = seen.values or asked_of(value, job.answer_schema)
    found = grounding(values, seen.spans)
    lists = gaps(sizes(value, job.answer_schema), seen.spans, job.pieces)
    checks = own_checks(job, value, {**seen.fields, **lists, **(known or {})})
    from_ = {path: by.get(_field_of(path, value), str(job.place)) for path in checks}
    fields = scored(checks, values, job.scores, job.accept_error, from_)
    return Done(value, found.grounded, found.spans, call_id, fields, job.scores.version, by)


def own_checks(
    job: Job, value: Mapping[str, Any], fields: dict[str, FieldCheck]
) -> dict[str, FieldCheck]:
    """What the values are worth with what the user checks."""
    if job.own is None:
        return fields
    return judged(value, job.own, job.answer_schema, job.pieces, fields)


def next_reading(job: Job, done: Done, prices: PriceBook) -> Reread | None:
    """What becomes of an answer with fields in question, where there is a next place."""
    if not (why := in_question(done, job.important)):
        return None
    onward = next(iter(job.route.after(job.step)), None)
    return None if onward is None else _reread(job, done, why, *onward, prices)


def in_question(done: Done, important: Collection[str]) -> dict[str, str]:
    """The top-level fields that pay to be read again, with why: one of their values is wrong; or
    it is to be checked, and the field is important."""
    why: dict[str, str] = {}
    for path, check in (done.fields or {}).items():
        name = _field_of(path, done.value)
        doubted = check.outcome is FieldOutcome.CHECK and name in important
        if check.outcome is FieldOutcome.WRONG or doubted:
            why.setdefault(name, f"{path} {check.outcome} ({check.code})")
    return why


def read_again(job: Job, said: Mapping[str, Any], call_id: UUID) -> Done:
    """The answer with what a second reading says of its fields."""
    assert job.reading is not None
    first, asked = answer_so_far(job), job.reading.asked
    alone = job.asked_alone is not None
    names = asked if alone else tuple(dict.fromkeys([*first.value, *said]))
    here = {**first.by, **dict.fromkeys(names, str(job.place))}
    value = _with(first.value, said, names)
    second = looked_up(job, value, call_id, here, known=_still_known(job, names))
    better = [
        name
        for name in names
        if _worth(second, name) >= _worth(first, name)
        and _is_as_long(second.value, first.value, name, job)
    ]
    if len(better) == len(names):
        done = second
    elif better and alone:
        by = {**first.by, **dict.fromkeys(better, str(job.place))}
        value, known = _with(first.value, said, better), _still_known(job, better)
        done = looked_up(job, value, call_id, by, known=known)
    else:
        done = first
    mended = [n for n in asked if _worth(done, n) == _WORTH[FieldOutcome.SURE] > _worth(first, n)]
    return replace(done, mended=len(mended))


def answer_so_far(job: Job) -> Done:
    """The answer that a second reading is about."""
    assert job.reading is not None
    value, known = dict(job.reading.value), _still_known(job, ())
    return looked_up(job, value, job.reading.call_id, job.reading.by, known=known)


def _still_known(job: Job, answered: Collection[str]) -> Checks:
    """What only those knew who put the answer together, of fields that were not answered again:
    that a list was cut off, that parts of the document say different things."""
    assert job.reading is not None
    value = job.reading.value
    return {
        path: check
        for path, check in job.reading.fields.items()
        if check.code in _OF_PARTS and _field_of(path, value) not in answered
    }


def stands(job: Job, outcome: Outcome, prices: PriceBook) -> Outcome:
    """What a turn comes to where there is an answer already: a second reading that cannot be had is
    asked of the next place, and at the end of the chain the answer stands as it is."""
    if job.reading is None:
        return outcome
    match outcome:
        case Escalate(place, step, _, failure):
            why = {name: f"{name} ({failure.category})" for name in job.reading.asked}
            return _reread(job, answer_so_far(job), why, step, place, prices)
        case GiveUp(failure):
            return _unread(job, f"{failure.category}: {failure.message}")
        case OverBudget(hold, failure) if hold.delay_s is None:
            return _unread(job, f"{failure.category}: {failure.message}")
    return outcome


def _unread(job: Job, problem: str) -> Done:
    done = answer_so_far(job)
    why = ", ".join(in_question(done, job.important).values())
    return replace(done, unread=f"{StandsCode.UNREAD}: {why}; at {job.place}: {problem}")


def _reread(
    job: Job, done: Done, why: Mapping[str, str], step: int, place: Place, prices: PriceBook
) -> Reread:
    most, reason = _most_usd(job, why, place, prices), f"fields: {', '.join(why.values())}"
    return Reread(done, place, step, job.place, tuple(why), reason, most, job.config.escalation)


def _most_usd(job: Job, asked: Collection[str], place: Place, prices: PriceBook) -> Decimal | None:
    """The most that the reading may cost, in USD; None: the price is not known."""
    engine = job.config.engines[place.engine]
    if engine.zone is Zone.LOCAL or engine.stand_in:
        return Decimal(0)
    if engine.most_usd_per_call is not None:
        return engine.most_usd_per_call
    how = job.second_manner(place)
    messages = reading_messages(job.ask, text_of(job.pieces), job.answer_schema, asked, how)
    tokens = sum(estimate(message.content) for message in messages)
    price = prices.price(place.model, tokens)
    return None if price is None else price.most(tokens, job.max_tokens)


def _with(
    value: Mapping[str, Any], said: Mapping[str, Any], names: Collection[str]
) -> dict[str, Any]:
    """A value with what was said of these fields; of one that was left out, nothing."""
    kept = {name: one for name, one in value.items() if name not in names or name in said}
    return kept | {name: one for name, one in said.items() if name in names}


def _worth(done: Done, name: str) -> int:
    """Of a field: that of its least value. What nothing can be said of is to be checked."""
    outcomes = (
        check.outcome
        for path, check in (done.fields or {}).items()
        if _field_of(path, done.value) == name
    )
    return min((_WORTH[one] for one in outcomes), default=_WORTH[FieldOutcome.CHECK])


def _is_as_long(value: Mapping[str, Any], before: Mapping[str, Any], name: str, job: Job) -> bool:
    """Whether no list of a field has lost rows: a second reading is one answer, and gives no more
    rows than that holds."""
    now = sizes(value, job.answer_schema)
    then = sizes(before, job.answer_schema)
    return all(now.get(path, 0) >= size for path, size in then.items() if _within(path, name))


def _within(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}.")


def _field_of(path: str, value: Mapping[str, Any]) -> str:
    """The top-level field that a path leads into. A field's name may hold dots, too; one that was
    not given stands in no value."""
    found = [name for name in value if _within(path, name)]
    return max(found, key=len, default=path.partition(".")[0])
