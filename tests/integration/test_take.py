"""What waits is taken once, the most urgent first, and no batch waits behind a larger one."""

import threading
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from models.words import INGEST
from tests.rows import (
    CLASSIFY,
    FRONTIER,
    LOCAL,
    LOCAL_TOO,
    Connection,
    add_batch,
    add_jobs,
    add_pairs,
    add_unread,
    column,
    rows,
    value,
)
from tests.sessions import connect
from tests.statements import Worker, run

XID_AHEAD = 1_000_000_000
"""What a database that was restored here had counted its transactions to."""


@pytest.fixture
def worker(db: Connection) -> Worker:
    return Worker(db)


def place_of(db: Connection, jobs: list[int]) -> set[int]:
    """Of these jobs those that wait."""
    return set(column(db, "SELECT item_id FROM waiting WHERE item_id = ANY (%s)", jobs))


def test_takes_at_the_same_moment_share_the_jobs_without_overlap(
    db: Connection, database_url: str
) -> None:
    jobs = add_jobs(db, add_batch(db), 40)
    got: list[list[int]] = []
    start = threading.Barrier(4)

    def take() -> None:
        with connect(database_url, autocommit=True) as connection:
            start.wait()
            while taken := Worker(connection).take(most=4):
                got.append(taken)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job for taken in got for job in taken) == jobs


def test_what_another_is_about_to_take_is_passed_over(
    db: Connection, database_url: str, worker: Worker
) -> None:
    jobs = add_jobs(db, add_batch(db), 10)
    with connect(database_url) as connection:
        first = Worker(connection).take(most=4)
        assert worker.take(most=4) == jobs[4:8]
        connection.rollback()
    assert first == jobs[:4]
    assert worker.take() == [*jobs[:4], *jobs[8:]]


def test_the_more_urgent_line_is_emptied_first(db: Connection, worker: Worker) -> None:
    usual = add_jobs(db, add_batch(db), 10)
    urgent = add_jobs(db, add_batch(db, priority=5), 6)
    assert sorted(worker.take(most=4) + worker.take(most=4)) == urgent
    assert sorted(worker.take(most=4)) == usual[:4]


def test_a_priority_that_is_changed_counts_at_once(db: Connection, worker: Worker) -> None:
    first, second = add_batch(db), add_batch(db)
    add_jobs(db, first, 10)
    late = add_jobs(db, second, 2)
    db.execute("UPDATE batches SET priority = 1 WHERE id = %s", (second.id,))
    assert sorted(worker.take(most=2)) == late


TODAY, TOMORROW = datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)


def test_in_one_priority_the_nearest_deadline_is_first_and_none_is_last(
    db: Connection, worker: Worker
) -> None:
    lines = {
        name: add_jobs(db, add_batch(db, **columns), 3)
        for name, columns in {
            "none": {},
            "tomorrow": {"deadline": TOMORROW},
            "today": {"deadline": TODAY},
            "urgent": {"priority": 1},
        }.items()
    }
    taken = [sorted(worker.take(most=32)) for _ in lines]
    assert taken == [lines[name] for name in ("urgent", "today", "tomorrow", "none")]


def test_the_nearest_deadline_is_found_among_more_lines_than_share_a_take(
    db: Connection, worker: Worker
) -> None:
    for _ in range(40):
        add_jobs(db, add_batch(db), 2)
    first = add_jobs(db, add_batch(db, deadline=TODAY), 6)
    assert [job for _ in range(6) for job in worker.take(most=1)] == first


def test_lines_of_one_deadline_share_alike(db: Connection, worker: Worker) -> None:
    add_jobs(db, add_batch(db), 20)
    first, second = (add_jobs(db, add_batch(db, deadline=TODAY), n) for n in (50, 20))
    taken = worker.take(most=20)
    assert [len({*taken} & {*line}) for line in (first, second)] == [10, 10]


def test_a_deadline_that_is_changed_counts_at_once(db: Connection, worker: Worker) -> None:
    add_jobs(db, add_batch(db, deadline=TOMORROW), 10)
    second = add_batch(db)
    late = add_jobs(db, second, 2)
    db.execute("UPDATE batches SET deadline = %s WHERE id = %s", (TODAY, second.id))
    assert sorted(worker.take(most=2)) == late


def test_lines_of_one_priority_share_alike_however_long_they_are(
    db: Connection, worker: Worker
) -> None:
    large, small = add_jobs(db, add_batch(db), 500), add_jobs(db, add_batch(db), 20)
    taken = Counter(job in small for _ in range(2) for job in worker.take(most=20))
    assert taken == {True: 20, False: 20}
    assert len(large) == 500


def test_among_many_lines_each_has_its_turn_and_a_take_is_no_larger_than_asked(
    db: Connection, worker: Worker
) -> None:
    batches = {job: n for n in range(20) for job in add_jobs(db, add_batch(db), 50)}
    takes = [worker.take(most=10) for _ in range(60)]
    assert {len(taken) for taken in takes} == {10}
    shares = Counter(batches[job] for taken in takes for job in taken)
    assert set(shares) == set(range(20))
    assert max(shares.values()) <= 50


def test_a_line_is_taken_in_the_order_in_which_it_was_filled(
    db: Connection, worker: Worker
) -> None:
    batch = add_batch(db)
    jobs = [job for _ in range(3) for job in add_jobs(db, batch, 5)]
    assert [job for _ in range(5) for job in worker.take(most=3)] == jobs


def test_every_queue_has_lines_of_its_own(db: Connection, worker: Worker) -> None:
    batch = add_batch(db)
    jobs = {place: add_jobs(db, batch, 2, place) for place in (LOCAL, LOCAL_TOO, FRONTIER)}
    pairs, documents = add_pairs(db, batch, 2), add_unread(db, batch, 2)
    for place, expected in jobs.items():
        assert worker.take(place.queue) == expected
    assert worker.take(CLASSIFY) == pairs
    assert worker.take(INGEST) == documents
    assert rows(db, "SELECT stage, count(*) FROM leases GROUP BY 1 ORDER BY 1") == [
        ("classify", 2),
        ("ingest", 2),
        ("run", 6),
    ]


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_batch_that_was_stopped_hands_out_nothing(
    db: Connection, worker: Worker, state: str
) -> None:
    jobs = add_jobs(db, add_batch(db), 3)
    db.execute("UPDATE batches SET state = %s", (state,))
    assert worker.take() == []
    db.execute("UPDATE batches SET state = 'running'")
    assert worker.take() == jobs


HOLDS = {
    "batch": {"batch_id": True},
    "zone": {"zone": "frontier"},
    "engine": {"engine": "frontier"},
    "model": {"engine": "frontier", "model": "m"},
    "model of any engine": {"model": "m"},
    "passing": {"batch_id": True, "zone": "frontier", "passing": True},
    "everything": {},
}


@pytest.mark.parametrize("about", HOLDS)
def test_what_a_hold_concerns_stands_still_until_it_is_lifted(
    db: Connection, worker: Worker, about: str
) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 3, FRONTIER)
    hold = {name: batch.id if name == "batch_id" else v for name, v in HOLDS[about].items()}
    names = ", ".join(["code", *hold])
    places = ", ".join(["%s"] * (len(hold) + 1))
    db.execute(f"INSERT INTO holds ({names}) VALUES ({places})", ["budget", *hold.values()])
    assert worker.take(FRONTIER.queue) == []
    late = add_jobs(db, batch, 1, FRONTIER)
    assert worker.take(FRONTIER.queue) == []
    db.execute("DELETE FROM holds")
    assert worker.take(FRONTIER.queue) == [*jobs, *late]


def test_what_a_hold_does_not_concern_goes_on(db: Connection, worker: Worker) -> None:
    held, other = add_batch(db), add_batch(db)
    add_jobs(db, held, 2, FRONTIER)
    local, free = add_jobs(db, held, 2), add_jobs(db, other, 2, FRONTIER)
    db.execute(
        "INSERT INTO holds (batch_id, zone, code) VALUES (%s, 'frontier', 'budget')", (held.id,)
    )
    assert worker.take(LOCAL.queue) == local
    assert worker.take(FRONTIER.queue) == free


def test_a_line_is_open_again_when_the_last_of_its_holds_is_gone(
    db: Connection, worker: Worker
) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 1, FRONTIER)
    for code in ("budget", "engine"):
        db.execute("INSERT INTO holds (zone, code) VALUES ('frontier', %s)", (code,))
    db.execute("DELETE FROM holds WHERE code = 'budget'")
    assert worker.take(FRONTIER.queue) == []
    db.execute("UPDATE batches SET state = 'paused'")
    db.execute("DELETE FROM holds")
    assert worker.take(FRONTIER.queue) == []
    db.execute("UPDATE batches SET state = 'running'")
    assert worker.take(FRONTIER.queue) == jobs


# --- a claim whose answer was lost ----------------------------------------------------------------


def test_a_claim_that_is_repeated_brings_what_it_took_and_nothing_more(
    db: Connection, worker: Worker
) -> None:
    jobs, claim = add_jobs(db, add_batch(db), 10), uuid4()
    assert worker.take(most=4, claim=claim) == jobs[:4]
    assert worker.take(most=4, claim=claim) == jobs[:4]
    assert len(place_of(db, jobs)) == 6


def test_a_claim_that_is_repeated_reserves_no_second_call(db: Connection, worker: Worker) -> None:
    jobs, claim = add_jobs(db, add_batch(db), 6), uuid4()
    first = worker.claim(most=4, claim=claim)
    again = worker.claim(most=4, claim=claim)
    assert first.calls == again.calls
    assert list(first.calls) == jobs[:4]
    assert value(db, "SELECT count(*) FROM calls") == 4


def test_a_classify_claim_that_is_repeated_reserves_no_second_call(
    db: Connection, worker: Worker
) -> None:
    claim = uuid4()
    add_pairs(db, add_batch(db), 6)
    first, again = (worker.classify(CLASSIFY, 4, claim) for _ in "12")
    assert [row["call_id"] for row in first] == [row["call_id"] for row in again]
    assert all(row["to_ask"] for row in (*first, *again))
    assert value(db, "SELECT count(*) FROM calls") == 4


# --- heads ----------------------------------------------------------------------------------------


def move_heads(db: Connection) -> None:
    run(db, "flow/move_heads", after=0)


def test_a_head_moves_past_what_has_gone_and_hides_nothing(db: Connection, worker: Worker) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 10)
    worker.take(most=10)
    later = add_jobs(db, batch, 3)
    before = value(db, "SELECT head FROM lines")
    move_heads(db)
    assert value(db, "SELECT head FROM lines") == value(db, "SELECT min(xact) FROM waiting")
    assert value(db, "SELECT head FROM lines") > before
    assert worker.take() == later
    worker.release(jobs)
    assert worker.take() == jobs


def test_what_commits_after_the_heads_were_moved_is_not_lost(
    db: Connection, database_url: str, worker: Worker
) -> None:
    batch = add_batch(db)
    add_jobs(db, batch, 3)
    with connect(database_url) as slow:
        late = add_jobs(slow, batch, 3)
        worker.take(most=3)
        passed = add_jobs(db, batch, 3)
        for _ in range(3):
            move_heads(db)
        assert worker.take() == passed
        move_heads(db)
        slow.commit()
    assert worker.take() == late


def test_a_job_given_back_by_an_old_transaction_is_not_lost(
    db: Connection, database_url: str, worker: Worker
) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 2)
    worker.take()
    with connect(database_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        Worker(slow, worker.owner).release(jobs)
        other = add_jobs(db, batch, 1)
        assert worker.take() == other
        move_heads(db)
        slow.commit()
    assert worker.take() == jobs


def test_a_database_restored_elsewhere_whose_transactions_count_anew_loses_nothing(
    db: Connection, worker: Worker
) -> None:
    batch = add_batch(db)
    jobs = add_jobs(db, batch, 4)
    db.execute("UPDATE waiting SET xact = xact + %s WHERE item_id = ANY (%s)", (XID_AHEAD, jobs))
    db.execute("UPDATE lines SET head = %s", (XID_AHEAD,))
    new = add_jobs(db, batch, 3)
    move_heads(db)
    assert sorted(worker.take()) == [*jobs, *new]
