"""Documents that are asked in parts, on a real Postgres: every part once, a bad one alone again."""

import pytest

from models.failure import Failure
from models.states import CallState
from tests.recount import offences
from tests.rows import (
    FRONTIER,
    LOCAL,
    Connection,
    add_batch,
    add_whole,
    column,
    one,
    rows,
    states,
    value,
)
from tests.statements import Claim, Worker, run_producer
from worker.calls.ledger import CallRow
from worker.calls.retry import GiveUp
from worker.run.outcome import Done, Outcome, Part, Split, Turn

BAD = Failure("bad_json", "run", True, "no JSON")
HALVES = (Part(1, 1, 2, 2), Part(1, 3, 4, 2))
TOP = (Part(2, 1, 3, 2),)


@pytest.fixture
def worker(db: Connection) -> Worker:
    return Worker(db)


@pytest.fixture
def whole(db: Connection, worker: Worker) -> int:
    """A job about a document of four chunks, split into two parts."""
    job = add_whole(db, add_batch(db), 4)
    split(worker, job, HALVES)
    return job


def split(worker: Worker, job: int, parts: tuple[Part, ...]) -> None:
    claim = worker.claim()
    assert list(claim.rows) == [job]
    worker.finish(Turn(job, 0, Split(parts), unused=[claim.calls[job]]))


def end(worker: Worker, claim: Claim, **outcomes: Outcome | None) -> None:
    """The jobs of a claim come to these, in order; to an answer that names the job where None."""
    turns = []
    for (job, call), outcome in zip(claim.calls.items(), outcomes.values(), strict=True):
        answered = CallRow(call, CallState.SETTLED, answer="{}")
        done = Done({"part": job}, None, None, call)
        turns.append(Turn(job, 0, outcome or done, [answered]))
    worker.finish(*turns)


def test_parts_are_jobs_of_their_own_and_the_whole_waits_for_them(
    db: Connection, worker: Worker, whole: int
) -> None:
    claim = worker.claim()
    assert whole not in claim.rows
    texts = [[piece["ordinal"] for piece in row["pieces"]] for row in claim.rows.values()]
    assert texts == [[1, 2], [3, 4]]
    assert value(db, "SELECT open_parts FROM jobs WHERE id = %s", whole) == 2
    assert rows(db, "SELECT state, jobs FROM job_counts WHERE jobs > 0") == [("running", 1)]
    end(worker, claim, first=None, second=None)
    assert offences(db) == []
    assert [part["value"] for part in worker.claim().rows[whole]["found"]] == [
        {"part": job} for job in claim.rows
    ]


def test_a_second_level_sums_up_what_the_first_one_found(
    db: Connection, worker: Worker, whole: int
) -> None:
    first = worker.claim()
    end(worker, first, first=None, second=None)
    split(worker, whole, TOP)
    claim = worker.claim()
    [row] = claim.rows.values()
    assert (row["level"], row["pieces"]) == (2, None)
    assert [part["value"] for part in row["found"]] == [{"part": job} for job in first.rows]
    end(worker, claim, top=None)
    [row] = worker.claim().rows.values()
    assert (row["id"], row["found_level"], len(row["found"])) == (whole, 2, 1)


@pytest.mark.parametrize("task", ["summary", "extraction"])
def test_a_whole_whose_parts_are_paid_for_is_reserved_at_what_is_left_to_ask(
    db: Connection, worker: Worker, task: str
) -> None:
    job = add_whole(db, add_batch(db, max_cost_usd="100"), 4, FRONTIER)
    db.execute("UPDATE jobs SET tokens = 9000, task = %s", (task,))
    claim = worker.claim(FRONTIER)
    before = value(db, "SELECT reserved_usd FROM calls")
    worker.finish(Turn(job, 0, Split(HALVES), unused=[claim.calls[job]]))
    end(worker, worker.claim(FRONTIER), first=None, second=None)
    [row] = worker.claim(FRONTIER).rows.values()
    assert row["id"] == job
    after = value(db, "SELECT reserved_usd FROM calls WHERE id = %s", row["call_id"])
    assert before > 9
    assert after < 1
    assert (after == 0) is (task == "extraction")


def test_a_part_that_failed_is_said_to_the_whole_and_a_retry_asks_it_alone(
    db: Connection, worker: Worker, whole: int
) -> None:
    claim = worker.claim()
    good, bad = claim.rows
    end(worker, claim, good=None, bad=GiveUp(BAD))
    again = worker.claim()
    assert again.rows[whole]["broken"]["category"] == "bad_json"
    end(worker, again, whole=GiveUp(BAD))
    assert column(db, "SELECT job_id FROM failed_jobs") == [whole]
    run_producer(db, "retry", batch=1, reason=None, most=10)
    assert one(db, "SELECT state, open_parts FROM jobs WHERE id = %s", whole) == ("ready", 1)
    assert offences(db) == []
    repeated = worker.claim()
    assert list(repeated.rows) == [bad]
    end(worker, repeated, bad=None)
    final = worker.claim()
    assert [part["value"] for part in final.rows[whole]["found"]] == [{"part": good}, {"part": bad}]
    end(worker, final, whole=None)
    assert states(db, "jobs") == {"done": 3}
    assert one(db, "SELECT state, jobs_finished, jobs_total FROM documents") == ("done", 1, 1)
    assert offences(db) == []


def test_a_whole_that_failed_by_itself_is_tried_again_with_the_parts_that_it_has(
    db: Connection, worker: Worker, whole: int
) -> None:
    end(worker, worker.claim(), first=None, second=None)
    end(worker, worker.claim(), whole=GiveUp(BAD))
    run_producer(db, "retry", batch=1, reason=None, most=10)
    assert list(worker.claim().rows) == [whole]


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_batch_that_is_stopped_stops_between_parts(
    db: Connection, worker: Worker, whole: int, state: str
) -> None:
    claim = worker.claim(most=1)
    db.execute("UPDATE batches SET state = %s", (state,))
    end(worker, claim, first=None)
    assert worker.take(LOCAL.queue) == []
    shown = {"paused": "running", "cancelled": "cancelled"}[state]
    assert value(db, "SELECT state FROM job_states WHERE id = %s", whole) == shown


def test_parts_are_counted_and_shown_nowhere_as_jobs_of_the_user(
    db: Connection, worker: Worker, whole: int
) -> None:
    assert column(db, "SELECT job FROM results") == [whole]
    assert rows(db, "SELECT jobs, running FROM batch_progress") == [(1, 1)]
    end(worker, worker.claim(), first=None, second=GiveUp(BAD))
    assert column(db, "SELECT job_id FROM failed_jobs") == []
    assert rows(db, "SELECT jobs, ready FROM batch_progress") == [(1, 1)]
