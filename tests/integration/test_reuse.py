"""Twins and crashes at the claim: the same question is asked once, whoever asks it."""

from typing import Any
from uuid import uuid4

import pytest

from models.failure import Failure
from models.states import CallState
from tests.rows import (
    FRONTIER,
    LOCAL,
    LOCAL_TOO,
    Connection,
    add_batch,
    add_jobs,
    let_lapse,
    one,
    rows,
    states,
    value,
)
from tests.sessions import connect, meanwhile
from tests.statements import Claim, Worker, reap
from worker.calls.ledger import CallRow
from worker.calls.retry import Retry, Wait
from worker.route import Place
from worker.run.outcome import Done, Escalate, Outcome, Turn

BAD = Failure("bad_json", "run", True, "no JSON")
VALUE = {"a": 1}


def twins(db: Connection, number: int, place: Place = FRONTIER, **batch: Any) -> list[int]:
    """Jobs of a new batch that ask the same of the same text as those of any other call."""
    return add_jobs(db, add_batch(db, **batch), number, place, text="same")


def settled(claim: Claim, job: int) -> CallRow:
    """The row of a call that was answered."""
    return CallRow(
        claim.calls[job],
        CallState.SETTLED,
        finish="stop",
        answer="{}",
        request_key=uuid4(),
    )


def end(worker: Worker, claim: Claim, job: int, outcome: Outcome | None = None) -> None:
    """Its call is answered, and the job comes to this; to its answer, if nothing else is said."""
    call = settled(claim, job)
    worker.finish(Turn(job, 0, outcome or Done(VALUE, None, None, call.id), [call]))


def ask(db: Connection, *jobs: int, place: Place = FRONTIER) -> Claim:
    """A worker claims what waits, of which these are the jobs that it may ask about; what it may
    not it gives back."""
    worker = Worker(db)
    claim = worker.claim(place)
    assert list(claim.rows) == list(jobs)
    worker.release(list(claim.short_of))
    return claim


def answer(db: Connection) -> None:
    """Whatever waits first is asked and answered."""
    worker = Worker(db)
    claim = worker.claim(FRONTIER, most=1)
    end(worker, claim, *claim.rows)


def test_a_claim_that_is_repeated_after_a_lost_commit_still_has_the_known_answer(
    db: Connection,
) -> None:
    twins(db, 1)
    answer(db)
    [twin] = twins(db, 1)
    worker, name = Worker(db), uuid4()
    for _ in range(2):
        claim = worker.claim(FRONTIER, claim=name)
        assert list(claim.rows) == [twin]
        assert claim.rows[twin]["known"]["value"] == VALUE
    assert value(db, "SELECT reserved_usd FROM calls WHERE job_id = %s", twin) == 0


def test_a_twin_that_has_gone_on_to_another_model_is_waited_for_no_longer(db: Connection) -> None:
    [first] = twins(db, 1, LOCAL)
    worker = Worker(db)
    claim = worker.claim(LOCAL)

    end(worker, claim, first, Escalate(FRONTIER, 1, LOCAL, BAD))
    [second] = twins(db, 1, LOCAL)
    assert list(Worker(db).claim(LOCAL).rows) == [second]


def of_last_month(db: Connection) -> None:
    """What is under way was begun in the last moments of last month."""
    db.execute(
        "UPDATE calls SET id = docmill_call_id(date_trunc('month', now(), 'UTC') - interval '1 s')"
    )


def test_of_twins_one_asks_and_the_others_wait(db: Connection) -> None:
    first, *others = twins(db, 3)
    claim = ask(db, first)
    assert claim.short_of == dict.fromkeys(others, "twin")
    assert ask(db).short_of == dict.fromkeys(others, "twin")


def test_twins_of_two_batches_are_twins_and_those_at_another_place_are_not(db: Connection) -> None:
    [first], [second] = twins(db, 1), twins(db, 1)
    ask(db, first)
    ask(db)
    [local], [other] = twins(db, 1, LOCAL), twins(db, 1, LOCAL_TOO)
    ask(db, local, place=LOCAL)
    ask(db, other, place=LOCAL_TOO)
    assert Worker(db).take(FRONTIER.queue) == [second]


def test_a_batch_that_wants_everything_asked_anew_asks(db: Connection) -> None:
    [first], [second] = twins(db, 1), twins(db, 1, reuse=False)
    ask(db, first, second)


def test_a_twin_of_a_call_that_was_begun_last_month_waits_for_it_too(db: Connection) -> None:
    db.execute("SELECT docmill_make_month(now() - interval '1 month')")
    first, second = twins(db, 2)
    worker = Worker(db)
    worker.claim(FRONTIER, most=1)
    of_last_month(db)
    ask(db)
    call = value(db, "SELECT id FROM calls")
    worker.settle({"id": call, "state": "settled", "answer": "{}", "request_key": uuid4()})
    worker.finish(Turn(first, 0, Done(VALUE, None, None, call)))
    assert ask(db, second).rows[second]["answer"]["value"] == VALUE


def test_an_answer_is_given_to_every_twin_at_once_and_costs_nothing(db: Connection) -> None:
    _, *others = twins(db, 5)
    answer(db)
    claim = ask(db, *others)
    assert [row["answer"]["value"] for row in claim.rows.values()] == [VALUE] * 4
    assert rows(db, "SELECT DISTINCT reserved_usd FROM calls WHERE state = 'reserved'") == [(0,)]
    assert value(db, "SELECT count(*) FROM calls WHERE reused_from IS NOT NULL") == 4


def test_a_claim_that_waited_for_its_twins_end_takes_its_answer(
    db: Connection, database_url: str
) -> None:
    first, second = twins(db, 2)
    owner, got = uuid4(), list[Claim]()
    claim = Worker(db, owner).claim(FRONTIER, most=1)
    with connect(database_url) as ending:
        ending.execute("BEGIN")
        end(Worker(ending, owner), claim, first)
        with meanwhile(db, database_url, lambda other: got.append(Worker(other).claim(FRONTIER))):
            ending.commit()
    assert got[0].rows[second]["answer"]["value"] == VALUE
    assert got[0].short_of == {}


def test_an_answer_that_arrived_before_a_crash_is_waited_for_and_not_asked_again(
    db: Connection,
) -> None:
    first, second = twins(db, 2)
    worker = Worker(db)
    claim = worker.claim(FRONTIER, most=1)
    call = settled(claim, first)
    worker.settle({"id": call.id, "state": "settled", "answer": "{}", "request_key": uuid4()})
    ask(db)  # the journal was replayed; the lease has still to run out
    let_lapse(db)
    reap(db)
    again = ask(db, first)
    assert again.short_of == {second: "twin"}
    assert next(iter(again.rows[first]["earlier"].values()))["text"] == "{}"


def test_a_paused_batch_keeps_no_twin_of_another_waiting(db: Connection) -> None:
    [first], [second] = twins(db, 1), twins(db, 1)
    worker = Worker(db)
    claim = worker.claim(FRONTIER, most=1)
    [asked] = claim.rows
    worker.settle({"id": claim.calls[asked], "state": "settled", "answer": "{}"})
    db.execute(
        "UPDATE batches SET state = 'paused' WHERE id = (SELECT batch_id FROM jobs WHERE id = %s)",
        (asked,),
    )
    ask(db, first if asked == second else second)


def test_twins_of_a_request_that_brought_no_answer_ask_side_by_side(db: Connection) -> None:
    first, *others = twins(db, 4)
    worker = Worker(db)
    claim = worker.claim(FRONTIER, most=1)
    end(worker, claim, first, Retry(BAD, 60.0))
    ask(db, *others)


def test_a_second_try_and_a_part_of_a_document_are_nobody_elses_question(db: Connection) -> None:
    first, second = twins(db, 2)
    worker = Worker(db)
    end(worker, worker.claim(FRONTIER, most=1), first, Retry(BAD, 0.0))
    assert ask(db, second, first).judged
    assert (
        value(db, "SELECT answer_key FROM calls WHERE job_id = %s AND attempt = 2", first) is None
    )


def test_a_worker_that_dies_with_a_known_answer_leaves_no_lost_call(db: Connection) -> None:
    _, second = twins(db, 2)
    answer(db)
    ask(db, second)
    let_lapse(db)
    reap(db)
    assert states(db, "calls") == {"settled": 1}


@pytest.mark.parametrize(
    ("place", "local_only", "answerer"),
    [(FRONTIER, False, "another host"), (LOCAL, False, "a"), (LOCAL, True, "a")],
)
def test_an_answer_from_elsewhere_is_another_answer(
    db: Connection, place: Place, local_only: bool, answerer: str
) -> None:
    [first] = twins(db, 1, place, local_only=local_only)
    worker = Worker(db)
    end(worker, worker.claim(place, answerer=answerer), first)
    [second] = twins(db, 1)
    assert ask(db, second).rows[second]["answer"] is None


def test_what_a_job_that_waits_had_already_paid_for_is_there_when_it_goes_on(
    db: Connection,
) -> None:
    [job] = twins(db, 1)
    worker = Worker(db)
    end(worker, worker.claim(FRONTIER), job, Wait(Failure("budget", "run", True, "spent"), 0.0))
    assert len(ask(db, job).rows[job]["earlier"]) == 1


def test_a_pinned_chunk_is_refused_also_where_its_job_says_nothing(db: Connection) -> None:
    [job] = twins(db, 1)
    db.execute("UPDATE chunks SET pinned = 'pan'")
    assert ask(db).short_of == {job: "policy"}
    db.execute("UPDATE chunks SET pinned = NULL")
    ask(db, job)


def test_the_answer_taken_is_the_jobs_own_whichever_of_its_calls_gave_it(db: Connection) -> None:
    """A repair has no key: its answer is found by its job's first call."""
    first, second = twins(db, 2)
    worker = Worker(db)
    claim = worker.claim(FRONTIER, most=1)
    bad = settled(claim, first)
    repair = uuid4()
    db.execute(
        "INSERT INTO calls SELECT (c).* FROM (SELECT jsonb_populate_record(c, jsonb_build_object("
        "'id', %s::text, 'purpose', 'repair', 'answer_key', NULL)) AS c FROM calls c) r",
        (str(repair),),
    )
    good = CallRow(repair, CallState.SETTLED, answer='{"a": 1}', request_key=uuid4())
    worker.finish(Turn(first, 0, Done(VALUE, None, None, repair), [bad, good]))
    given = ask(db, second).rows[second]["answer"]
    assert (given["value"], given["call_id"]) == (VALUE, str(repair))
    assert one(db, "SELECT reused_from FROM calls WHERE job_id = %s", second) == (repair,)
