import re
from typing import get_args
from uuid import UUID, uuid4

import pytest

from models.failure import Failure
from models.sql import load_sql
from models.states import JOB_CHANGES, JobState
from models.words import Tier
from worker.calls.retry import GiveUp, Hold, Retry, Wait
from worker.persist import Persist, job_row
from worker.route import Route
from worker.run.outcome import Done, Escalate, Outcome, Turn

FAILURE = Failure("timeout", "run", True, "no answer within the limit")
CALL = UUID(int=9)

ROWS = {
    Done: (
        Done({"total": "75.00"}, True, {"total": [1, 6]}, CALL),
        {
            "state": JobState.DONE,
            "value": {"total": "75.00"},
            "grounded": True,
            "spans": {"total": [1, 6]},
            "call_id": CALL,
        },
    ),
    Escalate: (
        Escalate(Route(Tier.FRONTIER, "big"), "phi4-mini", FAILURE),
        {
            "state": JobState.READY,
            "queue": Tier.FRONTIER,
            "model": "big",
            "escalated_from": "phi4-mini",
            "escalation_reason": "timeout: no answer within the limit",
            "attempts_back": 1,
            "error": FAILURE.as_json(),
        },
    ),
    Wait: (
        Wait(FAILURE, 2.5),
        {
            "state": JobState.READY,
            "attempts_back": 1,
            "waits": 1,
            "delay_s": 2.5,
            "error": FAILURE.as_json(),
        },
    ),
    Retry: (
        Retry(FAILURE, 1.5),
        {"state": JobState.READY, "delay_s": 1.5, "error": FAILURE.as_json()},
    ),
    Hold: (
        Hold(FAILURE, "top it up"),
        {
            "state": JobState.HELD,
            "attempts_back": 1,
            "waits": 1,
            "delay_s": None,
            "reason": "top it up",
            "error": FAILURE.as_json(),
        },
    ),
    GiveUp: (GiveUp(FAILURE), {"state": JobState.FAILED, "error": FAILURE.as_json()}),
}


def test_every_outcome_has_its_row_here():
    assert set(ROWS) == set(get_args(Outcome))


@pytest.mark.parametrize("kind", get_args(Outcome))
def test_the_row_of_each_outcome(kind):
    outcome, expected = ROWS[kind]
    base = {"job_id": 5, "attempts_back": 0, "waits": 0}
    assert job_row(Turn(5, outcome)) == {**base, **expected}


@pytest.mark.parametrize("kind", get_args(Outcome))
def test_each_row_makes_a_legal_change_of_a_running_job(kind):
    assert job_row(Turn(5, ROWS[kind][0]))["state"] in JOB_CHANGES[JobState.RUNNING]


@pytest.mark.parametrize("kind", get_args(Outcome))
def test_each_key_of_a_row_is_a_column_that_the_statement_reads(kind):
    columns = re.search(r"AS r \((.*?)\)\n", load_sql("worker", "finish_jobs"), re.DOTALL)
    names = {column.split()[0] for column in columns.group(1).split(",")}
    assert job_row(Turn(5, ROWS[kind][0])).keys() <= names


def test_an_attempt_is_spent_only_by_a_fault_of_the_jobs_own():
    spent = {kind for kind in ROWS if job_row(Turn(5, ROWS[kind][0]))["attempts_back"] == 0}
    assert spent == {Done, Retry, GiveUp}


class FakeDatabase:
    """Remembers each transaction's statements."""

    def __init__(self) -> None:
        self.transactions: list[list[tuple[str, dict]]] = []

    async def run_all(self, statements):
        self.transactions.append(list(statements))
        return []


class FakeJournal:
    """Remembers what was settled, and whether that was after the write."""

    def __init__(self, db: FakeDatabase) -> None:
        self._db = db
        self.settled_ids: list[UUID] = []

    def settled(self, call_ids):
        assert self._db.transactions, "settled before it was written"
        self.settled_ids += call_ids


async def written(turn: Turn) -> tuple[dict[str, dict], FakeJournal]:
    db = FakeDatabase()
    journal = FakeJournal(db)
    await Persist(db, journal, uuid4()).finish(turn)
    (statements,) = db.transactions
    return dict(statements), journal


async def test_calls_result_and_counters_go_in_one_transaction_and_the_journal_last():
    call = {"id": CALL, "state": "settled"}
    statements, journal = await written(Turn(5, ROWS[Done][0], [call], [UUID(int=3)]))
    assert list(statements) == ["settle_calls", "drop_calls", "finish_jobs"]
    assert statements["settle_calls"]["calls"].obj == [call]
    assert statements["drop_calls"] == {"ids": [UUID(int=3)]}
    assert journal.settled_ids == [CALL]


async def test_a_held_job_holds_what_would_be_held_for_the_same_reason():
    statements, _ = await written(Turn(5, ROWS[Hold][0]))
    assert list(statements) == ["hold_rest", "finish_jobs"]
    assert statements["hold_rest"]["rows"].obj == [
        {"job_id": 5, "reason": "top it up", "error": FAILURE.as_json()}
    ]


async def test_a_turn_without_a_call_writes_its_state_alone():
    statements, journal = await written(Turn(5, ROWS[Wait][0]))
    assert list(statements) == ["finish_jobs"]
    assert journal.settled_ids == []
