import re
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID

import pytest

from models.config import EscalationConfig
from models.failure import Failure
from models.reasons import FieldCode, FieldOutcome, HoldCode
from models.sql import load_sql
from models.states import JOB_CHANGES, OPEN_JOBS, JobState
from tests.factories import OWNER, a_place
from tests.fakes import FakeDatabase, FakeJournal
from worker.calls.ledger import CallRow
from worker.calls.retry import GiveUp, Retry, Wait
from worker.persist import JobRow, Persist, job_row
from worker.run.outcome import (
    Done,
    Escalate,
    HoldRow,
    Outcome,
    OverBudget,
    Part,
    Reread,
    Split,
    Suspect,
    Turn,
)
from worker.run.verify.check import FieldCheck

FAILURE = Failure("timeout", "run", True, "no answer within the limit")
ERROR = FAILURE.as_json()
CALL = UUID(int=9)
SURE = FieldCheck(FieldOutcome.SURE, FieldCode.LABELLED, "total:", [1, 6], 1)

ANSWER = Done({"total": "75.00", "date": "May"}, False, {"total": [1, 6]}, CALL, {"total": SURE})
READ_AGAIN = Reread(
    replace(ANSWER, by={"total": "gpu2/large"}),
    a_place("frontier/big"),
    1,
    a_place("local/phi4-mini"),
    ("date",),
    "fields: date wrong (not_in_text)",
    Decimal("0.01"),
    EscalationConfig(share=0.2, cost_usd=Decimal(1)),
)

ROWS: dict[type, tuple[Outcome, JobRow]] = {
    Done: (
        Done({"total": "75.00"}, True, {"total": [1, 6]}, CALL, {"total": SURE}, "v1"),
        JobRow(
            5,
            JobState.DONE,
            attempts=1,
            value={"total": "75.00"},
            grounded=True,
            spans={"total": [1, 6]},
            fields={"total": SURE},
            scored_by="v1",
            call_id=CALL,
        ),
    ),
    Escalate: (
        Escalate(a_place("frontier/big"), 1, a_place("local/phi4-mini"), FAILURE),
        JobRow(
            5,
            JobState.READY,
            zone="frontier",
            engine="frontier",
            model="big",
            step=1,
            left_behind="local/phi4-mini",
            escalated_from="phi4-mini",
            escalation_reason="timeout: no answer within the limit",
            error=ERROR,
        ),
    ),
    Reread: (
        READ_AGAIN,
        JobRow(
            5,
            JobState.READY,
            attempts=1,
            zone="frontier",
            engine="frontier",
            model="big",
            step=1,
            left_behind="local/phi4-mini",
            escalated_from="phi4-mini",
            escalation_reason="fields: date wrong (not_in_text)",
            value={"total": "75.00", "date": "May"},
            grounded=False,
            spans={"total": [1, 6]},
            fields={"total": SURE},
            call_id=CALL,
            reading={
                "asked": ("date",),
                "by": {"total": "gpu2/large", "date": "local/phi4-mini"},
                "most_usd": Decimal("0.01"),
                "share": 0.2,
                "cost_usd": Decimal(1),
            },
        ),
    ),
    Split: (
        Split((Part(1, 1, 4, 900), Part(1, 5, 7, 600))),
        JobRow(
            5,
            JobState.READY,
            parts=[
                {"level": 1, "first": 1, "last": 4, "tokens": 900},
                {"level": 1, "first": 5, "last": 7, "tokens": 600},
            ],
        ),
    ),
    Wait: (
        Wait(FAILURE, 2.5),
        JobRow(5, JobState.READY, waits=1, delay_s=2.5, error=ERROR),
    ),
    Suspect: (
        Suspect(FAILURE, 2.5),
        JobRow(5, JobState.READY, waits=1, deaths=1, delay_s=2.5, error=ERROR),
    ),
    Retry: (
        Retry(FAILURE, 1.5),
        JobRow(5, JobState.READY, attempts=1, delay_s=1.5, error=ERROR),
    ),
    OverBudget: (
        OverBudget(HoldRow(3, HoldCode.BUDGET, {}), FAILURE),
        JobRow(5, JobState.READY, waits=1, error=ERROR),
    ),
    GiveUp: (GiveUp(FAILURE), JobRow(5, JobState.FAILED, attempts=1, error=ERROR)),
}


def turn(kind: type, *, calls: Any = (), unused: Any = ()) -> Turn:
    return Turn(5, 3, ROWS[kind][0], list(calls), list(unused))


def test_an_answer_that_was_not_read_again_says_why_and_one_that_was_what_that_mended():
    done = replace(ANSWER, unread="unread: total", mended=2)
    row = job_row(Turn(5, 3, done))
    assert (row.state, row.escalation_reason, row.mended) == ("done", "unread: total", 2)


def test_every_outcome_has_its_row_here():
    assert set(ROWS) == set(get_args(Outcome))


@pytest.mark.parametrize("kind", get_args(Outcome))
def test_the_row_of_each_outcome(kind):
    assert job_row(turn(kind)) == ROWS[kind][1]


@pytest.mark.parametrize("kind", get_args(Outcome))
def test_each_row_leaves_a_ready_job_open_or_makes_a_legal_change_of_it(kind):
    state = job_row(turn(kind)).state
    assert state in JOB_CHANGES[JobState.READY] | OPEN_JOBS


def test_each_field_of_a_row_is_a_column_that_the_statement_reads():
    columns = re.search(r"AS r \((.*?)\)\n", load_sql("worker", "run/finish"), re.DOTALL)
    names = {column.split()[0] for column in columns.group(1).split(",")}
    assert {field.name for field in fields(JobRow)} == names


def test_each_field_of_a_hold_is_a_column_that_the_statement_reads():
    columns = re.search(r"AS h \((.*?)\)\n", load_sql("worker", "run/hold"), re.DOTALL)
    names = {column.split()[0] for column in columns.group(1).split(",")}
    assert {field.name for field in fields(HoldRow)} == names


def test_an_attempt_is_spent_by_a_try_that_ended_and_not_by_one_that_had_to_wait():
    spent = {kind for kind in ROWS if job_row(turn(kind)).attempts}
    assert spent == {Done, Reread, Retry, GiveUp}
    waited = {kind for kind in ROWS if job_row(turn(kind)).waits}
    assert waited == {Wait, Suspect, OverBudget}


def test_a_wait_of_no_time_is_back_in_line_at_once_and_no_moment_is_written():
    row = job_row(Turn(5, 3, Wait(FAILURE, 0.0)))
    assert row.delay_s is None


# --- writing --------------------------------------------------------------------------------------


class LateJournal(FakeJournal):
    """Notes whether what it settles stood in the database by then."""

    def __init__(self, db: FakeDatabase) -> None:
        super().__init__()
        self._db = db

    def settled(self, call_ids: Any) -> None:
        assert self._db.transactions, "settled before it was written"
        super().settled(call_ids)


async def written(done: Turn) -> tuple[dict[str, dict[str, Any]], FakeJournal]:
    db = FakeDatabase()
    journal = LateJournal(db)
    await Persist(db, journal, OWNER).finish(done)  # type: ignore[arg-type]
    (statements,) = db.transactions
    return dict(statements), journal


async def test_calls_result_and_counters_go_in_one_transaction_and_the_journal_last():
    call = CallRow(CALL, "settled")
    statements, journal = await written(turn(Done, calls=[call], unused=[UUID(int=3)]))
    assert list(statements) == ["calls/settle", "calls/drop", "run/finish"]
    assert statements["calls/settle"]["calls"].obj == [call]
    assert statements["calls/drop"] == {"ids": [UUID(int=3)]}
    assert statements["run/finish"]["owner"] == OWNER
    assert statements["run/finish"]["rows"].obj == [ROWS[Done][1]]
    assert journal.settled_ids == [CALL]


async def test_what_a_budget_does_not_cover_is_held_in_the_same_transaction():
    statements, _ = await written(turn(OverBudget))
    assert list(statements) == ["run/hold", "run/finish"]
    assert statements["run/hold"]["rows"].obj == [HoldRow(3, HoldCode.BUDGET, {})]


async def test_a_turn_without_a_call_writes_its_state_alone():
    statements, journal = await written(turn(Wait))
    assert list(statements) == ["run/finish"]
    assert journal.settled_ids == []


async def test_what_could_not_be_written_is_not_settled_in_the_journal():
    db = FakeDatabase()
    journal = FakeJournal()
    db.fault = ValueError("too large for Postgres")
    with pytest.raises(ValueError, match="too large"):
        await Persist(db, journal, OWNER).finish(turn(Done, calls=[CallRow(CALL, "settled")]))  # type: ignore[arg-type]
    assert journal.settled_ids == []


def test_the_row_of_an_answer_tells_how_its_model_was_asked_and_others_do_not():
    prompt = {"version": "extraction/2", "profile": "instruct"}
    for outcome, _ in ROWS.values():
        row = job_row(Turn(5, 3, outcome, prompt=prompt))
        assert row.prompt == (prompt if row.value is not None else None)
