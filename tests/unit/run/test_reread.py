"""Second readings: what pays to be read again, what is taken of it, and when the answer stands."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from models.failure import Failure
from models.reasons import FieldCode, FieldOutcome, HoldCode
from tests.factories import PRICED, a_config, a_job
from worker.calls.answer import Invalid, Valid
from worker.calls.prices import PriceBook
from worker.calls.retry import GiveUp, Retry, Wait
from worker.run.job import Job, Reading
from worker.run.judge import judge, judge_reading
from worker.run.outcome import Done, Escalate, HoldRow, OverBudget, Reread
from worker.run.reread import in_question, looked_up, stands
from worker.run.verify.check import FieldCheck

TEXT = "Invoice\nSeller: Larkmoor Ltd\nDate: 3 May 2024\nSubtotal: 90.00\nTotal: 99.50\n"
FIRST, SECOND = UUID(int=1), UUID(int=2)
TABLES: dict[str, Any] = {
    "engines": {
        "gpu2": {"zone": "local", "kind": "ollama", "url": "http://gpu2:11434", "model": "large"},
        "frontier": {"model": "big"},
    },
    "prices": PRICED,
    "escalation": {"share": 0.5, "cost_usd": "2"},
}
CHAINED = a_config(**TABLES, tasks={"extraction": {"escalate": ["gpu2/large", "frontier/big"]}})
TO_FRONTIER = a_config(**TABLES, tasks={"extraction": {"escalate": "frontier/big"}})
GOOD = {"seller": "Larkmoor Ltd", "date": "3 May 2024", "total": "99.50"}
LOCAL, GPU2, FRONTIER = "local/phi4-mini", "gpu2/large", "frontier/big"


def schema_of(*names: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": ["string", "null"]} for name in names},
        "additionalProperties": False,
        **more,
    }


def the_job(**more: Any) -> Job:
    given = {"config": CHAINED, "schema": schema_of(*GOOD), **more}
    return a_job(TEXT, **given)


def again(first: dict[str, Any], *asked: str, **more: Any) -> Job:
    """The job at the second place, with a first answer."""
    given = {"step": 1, "reading": Reading(first, FIRST, asked, dict.fromkeys(first, LOCAL))}
    return the_job(**{**given, **more})


def outcome_of(job: Job, checked: Valid | Invalid, call: UUID = SECOND) -> Any:
    return judge(job, checked, call, PriceBook(job.config))


def by(done: Done) -> dict[str, tuple[str, str | None]]:
    return {path: (str(one.outcome), one.by) for path, one in (done.fields or {}).items()}


# --- what pays to be read again -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "important", "asked"),
    [
        (GOOD, (), ()),
        (GOOD, ("total", "date"), ()),
        ({**GOOD, "total": "98.12"}, (), ("total",)),
        ({**GOOD, "total": "98.12", "seller": "Nobody"}, (), ("seller", "total")),
        ({**GOOD, "total": None}, (), ()),
        ({**GOOD, "total": None}, ("total",), ("total",)),
        ({**GOOD, "seller": "Larkmoor"}, ("total",), ()),
        ({**GOOD, "seller": "Larkmoor"}, ("seller",), ("seller",)),
    ],
)
def test_a_field_is_read_again_if_it_is_wrong_or_important_and_to_be_checked(
    value, important, asked
):
    job = the_job(important=important)
    found = in_question(looked_up(job, value, FIRST, {}), important)
    assert tuple(found) == asked
    outcome = outcome_of(job, Valid(value))
    assert isinstance(outcome, Reread) is bool(asked)
    assert not asked or outcome.asked == asked


def test_a_value_deep_in_an_answer_is_read_again_with_its_whole_top_level_field():
    row = {"type": "object", "properties": {"price": {"type": "string"}}}
    schema = {
        "type": "object",
        "properties": {"a.b": {"type": "array", "items": row}, "a": {"type": "string"}},
    }
    value = {"a": "99.50", "a.b": [{"price": "90.00"}, {"price": "77.77"}]}
    outcome = outcome_of(the_job(schema=schema), Valid(value))
    assert isinstance(outcome, Reread)
    assert outcome.asked == ("a.b",)
    assert outcome.reason == "fields: a.b.1.price wrong (not_in_text)"


def test_it_says_what_it_may_cost_and_which_cap_that_counts_against():
    wrong = Valid({**GOOD, "total": "98.12"})
    outcome = outcome_of(the_job(config=TO_FRONTIER), wrong)
    assert isinstance(outcome, Reread)
    assert outcome.most_usd is not None
    assert Decimal("0.0076") < outcome.most_usd < Decimal("0.02"), (
        "512 tokens out at 15 USD, and in"
    )
    assert (outcome.cap.share, outcome.cap.cost_usd) == (0.5, 2)
    assert outcome_of(the_job(), wrong).most_usd == 0, "in the building nothing is paid by token"
    engines = {"frontier": {"model": "unheard-of"}}
    unknown = a_config(engines=engines, tasks={"extraction": {"escalate": "frontier/unheard-of"}})
    assert outcome_of(the_job(config=unknown), wrong).most_usd is None
    hosted = {"frontier": {"kind": "replicate", "model": "a/b", "usd_per_second": "0.01"}}
    timed = a_config(engines=hosted, tasks={"extraction": {"escalate": "frontier/a/b"}})
    most = timed.engines["frontier"].most_usd_per_call
    assert most is not None
    assert outcome_of(the_job(config=timed), wrong).most_usd == most


@pytest.mark.parametrize("stays", ["local_only", "pinned"])
def test_what_must_stay_is_read_again_in_the_building_alone(stays):
    wrong = Valid({**GOOD, "total": "98.12"})
    facts = replace(the_job().facts, **{stays: True})
    assert isinstance(outcome_of(the_job(config=TO_FRONTIER, facts=facts), wrong), Done)
    inside = outcome_of(the_job(facts=facts), wrong)
    assert isinstance(inside, Reread)
    assert (str(inside.place), inside.place.zone) == (GPU2, "local")
    job = again(wrong.value, "total", facts=facts)
    assert isinstance(outcome_of(job, wrong), Done), "the next one would be the frontier"
    assert isinstance(outcome_of(job, Invalid("empty", "nothing")), GiveUp)


# --- what is asked --------------------------------------------------------------------------------


def test_only_the_fields_in_question_are_asked_for_where_the_schema_allows_it():
    job = again({**GOOD, "total": "98.12"}, "total")
    assert job.asked_schema == {**schema_of("total"), "required": []}
    together = schema_of(*GOOD, minProperties=1)
    assert again(GOOD, "total", schema=together).asked_schema == together


# --- what is taken --------------------------------------------------------------------------------


def test_a_second_reading_is_checked_merged_and_each_field_says_where_it_is_from():
    done = outcome_of(again({**GOOD, "total": "98.12"}, "total"), Valid({"total": "99.50"}))
    assert isinstance(done, Done)
    assert (done.value, done.grounded, done.call_id, done.mended) == (GOOD, True, SECOND, 1)
    assert by(done) == {
        "seller": ("sure", LOCAL),
        "date": ("sure", LOCAL),
        "total": ("sure", GPU2),
    }


@pytest.mark.parametrize(
    ("first", "second", "taken", "mended"),
    [
        ("98.12", "99.50", True, 1),
        ("98.12", "97.77", True, 0),  # neither stands there: the next place counts
        ("98.12", None, True, 0),
        (None, "99.50", True, 1),
        (None, "97.77", False, 0),
        ("99.50", "97.77", False, 0),
        ("99.50", None, False, 0),
    ],
)
def test_it_counts_where_the_checks_think_no_less_of_it(first, second, taken, mended):
    job = again({**GOOD, "total": first}, "total", config=TO_FRONTIER)
    done = outcome_of(job, Valid({"total": second}))
    assert isinstance(done, Done)
    assert done.value["total"] == (second if taken else first)
    assert (done.call_id, done.mended) == (SECOND if taken else FIRST, mended)


def test_a_list_that_it_gives_fewer_rows_of_is_not_taken():
    rows = {
        "type": "array",
        "items": {"type": "object", "properties": {"total": {"type": "string"}}},
    }
    schema = {"type": "object", "properties": {"rows": rows}, "additionalProperties": False}
    first = {"rows": [{"total": "99.50"}, {"total": "98.12"}]}
    job = again(first, "rows", schema=schema, config=TO_FRONTIER)
    assert outcome_of(job, Valid({"rows": [{"total": "99.50"}]})).value == first
    longer = {"rows": [{"total": "99.50"}, {"total": "90.00"}]}
    assert outcome_of(job, Valid(longer)).value == longer


def test_what_only_the_first_answer_knew_is_known_of_what_is_not_answered_again():
    conflict = FieldCheck(FieldOutcome.CHECK, FieldCode.CONFLICT, "4 May 2024")
    known = {"date": conflict, "total": FieldCheck(FieldOutcome.WRONG, FieldCode.CONFLICT)}
    first = {**GOOD, "total": "98.12"}
    reading = Reading(first, FIRST, ("total",), dict.fromkeys(first, LOCAL), fields=known)
    done = outcome_of(the_job(step=1, reading=reading), Valid({"total": "99.50"}))
    codes = {path: str(check.code) for path, check in done.fields.items()}
    assert codes == {"seller": codes["seller"], "date": "conflict", "total": "labelled"}


def test_of_two_fields_one_may_be_taken():
    first = {**GOOD, "total": "98.12", "seller": "Larkmoor"}
    job = again(first, "seller", "total", config=TO_FRONTIER)
    done = outcome_of(job, Valid({"seller": "Nobody", "total": "99.50"}))
    assert isinstance(done, Done)
    assert done.value == {**GOOD, "seller": "Larkmoor"}
    assert by(done)["seller"] == ("check", LOCAL)
    assert by(done)["total"] == ("sure", FRONTIER)


def test_a_field_that_it_leaves_out_is_gone():
    job = again({**GOOD, "total": "98.12"}, "total", config=TO_FRONTIER)
    assert "total" not in outcome_of(job, Valid({})).value


def test_where_fields_belong_together_all_of_the_answer_is_taken_or_none_of_it():
    schema = schema_of(*GOOD, minProperties=1)
    job = again({**GOOD, "total": "98.12"}, "total", config=TO_FRONTIER, schema=schema)
    good = outcome_of(job, Valid(GOOD))
    assert (good.value, by(good)["seller"]) == (GOOD, ("sure", FRONTIER))
    worse = outcome_of(job, Valid({**GOOD, "seller": "Nobody"}))
    assert (worse.value["total"], worse.call_id) == ("98.12", FIRST)


def test_what_is_still_in_question_goes_on_along_the_chain_with_what_was_mended():
    first = {**GOOD, "total": "98.12", "seller": "Nobody"}
    job = again(first, "seller", "total")
    outcome = outcome_of(job, Valid({"seller": "Larkmoor Ltd", "total": "97.77"}))
    assert isinstance(outcome, Reread)
    assert (str(outcome.place), outcome.step, outcome.asked) == (FRONTIER, 2, ("total",))
    assert outcome.answer.value == {**GOOD, "total": "97.77"}
    assert outcome.answer.by == {"seller": GPU2, "date": LOCAL, "total": GPU2}
    assert outcome.answer.mended == 1


# --- when the answer stands -----------------------------------------------------------------------

WRONG = {**GOOD, "total": "98.12"}
FAULT = Failure("timeout", "run", True, "no answer")


def test_a_reading_that_cannot_be_had_is_asked_of_the_next_place():
    job = again(WRONG, "total")
    invalid = outcome_of(job, Invalid("invalid_json", "not JSON"))
    assert isinstance(invalid, Escalate)
    outcome = stands(job, invalid, PriceBook(job.config))
    assert isinstance(outcome, Reread)
    assert (str(outcome.place), outcome.asked, outcome.answer.value) == (
        FRONTIER,
        ("total",),
        WRONG,
    )
    assert outcome.reason == "fields: total (invalid_json)"


@pytest.mark.parametrize(
    "outcome", [GiveUp(FAULT), OverBudget(HoldRow(3, HoldCode.BUDGET, {}), FAULT)], ids=str
)
def test_at_the_end_of_the_chain_the_answer_stands_and_says_why(outcome):
    job = again(WRONG, "total", config=TO_FRONTIER)
    done = stands(job, outcome, PriceBook(job.config))
    assert isinstance(done, Done)
    assert (done.value, done.call_id, by(done)["total"]) == (WRONG, FIRST, ("wrong", LOCAL))
    assert done.unread == ("unread: total wrong (not_in_text); at frontier/big: timeout: no answer")


def test_a_reading_that_no_budget_covers_is_not_made():
    job = again(WRONG, "total", config=TO_FRONTIER)
    assert job.reading is not None
    assert judge_reading(job) is None
    assert judge_reading(the_job()) is None
    short = replace(job, reading=replace(job.reading, short_of="batch"))
    failure = Failure("budget", "run", False, "no budget covers a second reading")
    assert judge_reading(short) == GiveUp(failure)


@pytest.mark.parametrize(
    "outcome",
    [
        Wait(FAULT, 1.0),
        Retry(FAULT, 1.0),
        OverBudget(HoldRow(3, HoldCode.BUDGET_UNDER_WAY, {}, delay_s=0.5), FAULT),
    ],
    ids=str,
)
def test_what_passes_is_waited_for(outcome):
    job = again(WRONG, "total")
    assert stands(job, outcome, PriceBook(job.config)) is outcome


def test_without_an_answer_nothing_stands():
    assert stands(the_job(), GiveUp(FAULT), PriceBook(CHAINED)) == GiveUp(FAULT)


def test_a_second_reading_that_is_no_answer_is_not_tried_again():
    job = again(WRONG, "total", config=TO_FRONTIER)
    assert isinstance(outcome_of(job, Invalid("empty", "nothing")), GiveUp)
