"""The table of everything that a job's turn may come to."""

from dataclasses import replace
from datetime import date
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.checks import OwnChecks
from models.failure import Failure
from models.reasons import FieldCode, FieldOutcome, HoldCode
from models.words import TaskType
from tests.factories import FIELDS, a_config, a_job, a_place
from worker.calls.answer import Invalid, Valid
from worker.calls.prices import PriceBook
from worker.calls.retry import ANOTHER_ENGINE_MAY, DEADLY, GiveUp, Retry, Wait
from worker.llm.engine import CONCERN, Concern, EngineError, Trouble
from worker.route import Facts
from worker.run.job import Job
from worker.run.judge import (
    ENGINE_KILLER,
    PATIENT_TRIES,
    REFUND_S,
    judge,
    judge_budget,
    judge_error,
    judge_parts,
)
from worker.run.outcome import (
    Done,
    Escalate,
    HoldRow,
    Outcome,
    OverBudget,
    Reread,
    Split,
    Suspect,
)
from worker.run.verify.check import FieldCheck

CHAINED = a_config(
    engines={
        "gpu2": {"zone": "local", "kind": "ollama", "url": "http://gpu2:11434", "model": "large"},
        "frontier": {"model": "big"},
    },
    tasks={
        "extraction": {"escalate": ["gpu2/large", "frontier/big"]},
        "classification": {"escalate": "frontier/big"},
        "summary": {"model": "big", "escalate": ["gpu2/large"]},
    },
)
ALONE = a_config()
"""No task has anywhere to go."""

GPU2, FRONTIER = a_place("gpu2/large"), a_place("frontier/big")
ANSWER_CALL = UUID(int=2)
BAD = Invalid("schema_mismatch", "total: 75 is not of type string")
IN_TEXT, NOT_IN_TEXT, NOTHING_FOUND = {"total": "75.00"}, {"total": "99.99"}, {"total": None}


def outcome_of(job: Job, checked: Valid | Invalid) -> Outcome:
    return judge(job, checked, ANSWER_CALL, PriceBook(job.config))


def after_error(job: Job, trouble: Trouble, *, own: bool = True) -> Outcome:
    error = EngineError(trouble, "the engine's words")
    return judge_error(job, error, own=own, pause_s=0.25)


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "grounded", "spans"),
    [(IN_TEXT, True, {"total": [13, 18]}), (NOTHING_FOUND, None, {})],
)
def test_an_extraction_whose_values_stand_in_the_text_is_taken(value, grounded, spans):
    outcome = outcome_of(a_job(config=CHAINED), Valid(value))
    assert isinstance(outcome, Done)
    checked = replace(outcome, fields=None, scored_by=None)
    assert checked == Done(value, grounded, spans, ANSWER_CALL)


def test_a_value_that_does_not_stand_in_the_text_is_read_again_at_the_next_place():
    outcome = outcome_of(a_job(config=CHAINED), Valid(NOT_IN_TEXT))
    assert isinstance(outcome, Reread)
    assert (str(outcome.place), outcome.step, str(outcome.left)) == (
        "gpu2/large",
        1,
        "local/phi4-mini",
    )
    assert (outcome.asked, outcome.reason) == (
        ("total",),
        "fields: total wrong (not_in_text)",
    )
    assert outcome.answer == outcome_of(a_job(config=ALONE), Valid(NOT_IN_TEXT))


def test_where_there_is_no_next_place_it_is_taken_and_says_so():
    for job in (a_job(config=ALONE), a_job(config=CHAINED, step=2)):
        outcome = outcome_of(job, Valid(NOT_IN_TEXT))
        assert isinstance(outcome, Done)
        checked = replace(outcome, fields=None, scored_by=None)
        assert checked == Done(NOT_IN_TEXT, False, {}, ANSWER_CALL)
        assert outcome.fields is not None
        assert outcome.fields["total"].code == FieldCode.NOT_IN_TEXT
        assert outcome.fields["total"].by == str(job.place)


def test_a_value_of_two_is_not_enough_to_be_grounded():
    outcome = outcome_of(a_job(config=ALONE), Valid({"total": "75.00", "date": "May"}))
    assert isinstance(outcome, Done)
    assert (outcome.grounded, outcome.spans) == (False, {"total": [13, 18]})
    assert {path: str(one.outcome) for path, one in (outcome.fields or {}).items()} == {
        "total": "sure",
        "date": "wrong",
    }


@pytest.mark.parametrize("task", sorted(set(TaskType) - {TaskType.EXTRACTION}))
def test_only_extractions_are_looked_up_in_the_text(task):
    outcome = outcome_of(a_job(config=CHAINED, task=task), Valid({"label": "not in the text"}))
    assert outcome == Done({"label": "not in the text"}, None, None, ANSWER_CALL)


def test_a_part_says_what_its_text_does_and_leaves_the_judgement_to_the_whole():
    outcome = outcome_of(a_job(config=CHAINED, is_part=True), Valid(NOT_IN_TEXT))
    wrong = FieldCheck(FieldOutcome.WRONG, FieldCode.NOT_IN_TEXT)
    assert outcome == Done(NOT_IN_TEXT, None, {}, ANSWER_CALL, {"total": wrong})


@pytest.mark.parametrize(
    ("step", "place"), [(0, "gpu2/large"), (1, "frontier/big"), (2, None)], ids=str
)
def test_a_bad_answer_follows_the_chain_step_by_step(step, place):
    outcome = outcome_of(a_job(config=CHAINED, step=step), BAD)
    if place is None:
        assert isinstance(outcome, Retry)
    else:
        assert (str(outcome.place), outcome.step) == (place, step + 1)
        assert outcome.failure == Failure(BAD.category, "run", True, BAD.problem)


def test_a_bad_answer_at_the_end_of_the_chain_is_tried_again_until_the_attempts_are_spent():
    outcomes = [type(outcome_of(a_job(config=ALONE, attempts=n), BAD)) for n in range(5)]
    assert outcomes == [Retry, Retry, Retry, Retry, GiveUp]


def test_an_answer_that_was_filtered_is_not_asked_for_again_where_it_was_refused():
    filtered = Invalid("content_filter", "the provider's filter cut the answer off")
    assert isinstance(outcome_of(a_job(config=ALONE), filtered), GiveUp)
    onward = outcome_of(a_job(config=CHAINED), filtered)
    assert isinstance(onward, Escalate)


@given(
    st.sampled_from(TaskType),
    st.sampled_from([Valid(NOT_IN_TEXT), BAD]),
    st.booleans(),
    st.integers(0, 2),
)
def test_text_that_stays_never_leaves_whatever_its_answer_was(task, checked, local_only, step):
    facts = Facts(task, local_only=local_only, pinned=not local_only)
    job = a_job(config=CHAINED, task=task, facts=facts)
    while isinstance(outcome := outcome_of(job, checked), (Escalate, Reread)):
        assert outcome.place.zone == "local"
        job = a_job(config=CHAINED, task=task, facts=facts, step=outcome.step)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", Trouble)
def test_what_is_not_the_prompts_own_fault_waits_and_costs_no_attempt(trouble):
    job = a_job(config=CHAINED, attempts=4)
    outcome = after_error(job, trouble, own=False)
    assert isinstance(outcome, Wait)
    assert outcome.delay_s == 0.25


def own_troubles(*concerns: Concern, moves: bool) -> list[Trouble]:
    ours = [trouble for trouble in Trouble if trouble is not Trouble.DIED]
    return [t for t in ours if CONCERN[t] in concerns and (t in ANOTHER_ENGINE_MAY) is moves]


@pytest.mark.parametrize("trouble", own_troubles(Concern.PROMPT, moves=True))
def test_a_prompt_that_will_not_work_here_goes_on_to_the_next_place_at_once(trouble):
    outcome = after_error(a_job(config=CHAINED), trouble)
    assert isinstance(outcome, Escalate)
    assert outcome.failure == Failure(str(trouble), "run", False, "the engine's words")
    assert isinstance(after_error(a_job(config=ALONE), trouble), GiveUp)


@pytest.mark.parametrize("trouble", own_troubles(Concern.PROMPT, moves=False))
def test_a_prompt_that_will_not_work_anywhere_is_given_up_at_once(trouble):
    outcome = after_error(a_job(config=CHAINED), trouble)
    assert isinstance(outcome, GiveUp)
    assert outcome.failure.retryable is False


@pytest.mark.parametrize("trouble", own_troubles(Concern.PASSING, moves=True))
def test_time_outs_and_errors_of_its_own_are_tried_again_first_and_then_elsewhere(trouble):
    outcomes = [type(after_error(a_job(config=CHAINED, attempts=n), trouble)) for n in range(4)]
    assert outcomes == [Retry] * (PATIENT_TRIES - 1) + [Escalate] * (5 - PATIENT_TRIES)
    alone = [type(after_error(a_job(config=ALONE, attempts=n), trouble)) for n in range(5)]
    assert alone == [Retry] * 4 + [GiveUp]


def test_a_job_that_was_there_when_its_engine_went_down_is_asked_alone_next_and_pays_nothing():
    outcome = after_error(a_job(config=CHAINED, attempts=4), Trouble.DIED)
    assert outcome == Suspect(Failure("died", "run", True, "the engine's words"), 0.25)


def test_a_job_that_was_there_twice_is_sent_to_no_engine_of_that_kind():
    killer = a_job(config=CHAINED, deaths=DEADLY - 1)
    outcome = after_error(killer, Trouble.DIED)
    assert isinstance(outcome, Escalate)
    assert (outcome.place, outcome.step, outcome.failure.category) == (FRONTIER, 2, ENGINE_KILLER)
    given_up = after_error(a_job(config=ALONE, deaths=DEADLY - 1), Trouble.DIED)
    assert isinstance(given_up, GiveUp)
    assert given_up.failure.retryable is False
    assert "chunks 1 to 1" in given_up.failure.message
    assert '"total"' in given_up.failure.message


def test_which_troubles_another_engine_may_not_have():
    assert {
        Trouble.CONTEXT_EXCEEDED,
        Trouble.CONTENT_FILTER,
        Trouble.TIMEOUT,
        Trouble.SERVER_ERROR,
    } <= ANOTHER_ENGINE_MAY
    assert (
        not {
            Trouble.UNAVAILABLE,
            Trouble.RATE_LIMITED,
            Trouble.AUTH,
            Trouble.QUOTA,
            Trouble.BAD_REQUEST,
        }
        & ANOTHER_ENGINE_MAY
    )


# --- parts and budgets ----------------------------------------------------------------------------


@pytest.mark.parametrize("retryable", [True, False])
def test_a_part_without_an_answer_leaves_the_whole_without_one_and_says_which(retryable):
    broken = Failure("invalid_json", "run", retryable, "not JSON")
    outcome = judge_parts(a_job(broken=broken))
    assert isinstance(outcome, GiveUp)
    assert outcome.failure == Failure(
        "part_failed", "run", retryable, "a part of the document: invalid_json: not JSON"
    )
    assert judge_parts(a_job()) is None


ABOUT = {"model": "m", "spent_usd": 1, "budget_usd": 2}


OWN = OwnChecks(("total == '99.99'",), (), date(2026, 11, 28))


def test_the_users_checks_are_made_of_every_answer_but_not_of_parts():
    extracted = outcome_of(a_job(own=OWN), Valid(IN_TEXT))
    assert isinstance(extracted, Done)
    assert extracted.fields is not None
    assert extracted.fields["total"].code is FieldCode.OWN_CHECK
    assert extracted.fields["total"].span == [13, 18]
    part = outcome_of(a_job(own=OWN, is_part=True), Valid(IN_TEXT))
    assert part.fields["total"].code is not FieldCode.OWN_CHECK
    for value, codes in ((IN_TEXT, [FieldCode.OWN_CHECK]), (NOT_IN_TEXT, [])):
        job = a_job(task=TaskType.REASONING, schema=FIELDS, own=OWN)
        answered = outcome_of(job, Valid(value))
        assert [check.code for check in answered.fields.values()] == codes
    plain = a_job(task=TaskType.REASONING, schema=FIELDS)
    assert outcome_of(plain, Valid(IN_TEXT)).fields is None


@pytest.mark.parametrize(
    ("short_of", "code"),
    [
        ("batch", HoldCode.BUDGET),
        ("day", HoldCode.DAY_BUDGET),
        ("price", HoldCode.NO_PRICE),
    ],
)
def test_what_a_budget_does_not_cover_is_held_for_it(short_of, code):
    outcome = judge_budget(3, short_of, ABOUT, under_way=False)
    model = "m" if code is HoldCode.NO_PRICE else None
    batch = None if code is HoldCode.DAY_BUDGET else 3
    assert outcome.hold == HoldRow(batch, code, ABOUT, model)
    assert (outcome.failure.category, outcome.failure.retryable) == (code, True)


@pytest.mark.parametrize(("short_of", "batch"), [("batch", 3), ("day", None)])
def test_where_calls_under_way_may_give_something_back_it_is_held_for_a_moment(short_of, batch):
    outcome = judge_budget(3, short_of, ABOUT, under_way=True)
    assert outcome.hold == HoldRow(batch, HoldCode.BUDGET_UNDER_WAY, ABOUT, delay_s=REFUND_S)


def test_a_price_that_is_not_known_is_given_back_by_no_call():
    assert judge_budget(3, "price", ABOUT, under_way=True).hold.code is HoldCode.NO_PRICE


def test_every_outcome_but_split_is_in_the_table():
    """Split is no judgement of an answer: test_run.py has it."""
    seen = {
        Done: outcome_of(a_job(), Valid(IN_TEXT)),
        Escalate: outcome_of(a_job(config=CHAINED), BAD),
        Reread: outcome_of(a_job(config=CHAINED), Valid(NOT_IN_TEXT)),
        Retry: outcome_of(a_job(config=ALONE), BAD),
        GiveUp: judge_parts(a_job(broken=Failure("x", "run", False, "x"))),
        Wait: after_error(a_job(), Trouble.UNAVAILABLE, own=False),
        Suspect: after_error(a_job(), Trouble.DIED),
        OverBudget: judge_budget(3, "day", {}, under_way=False),
    }
    assert {type(outcome) for outcome in seen.values()} == set(seen)
    assert set(seen) | {Split} == set(get_args(Outcome))
