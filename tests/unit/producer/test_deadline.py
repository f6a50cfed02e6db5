from datetime import UTC, datetime, timedelta

import pytest

from models.states import BatchState
from producer.deadline import deadline_line, eta, expected_finish, seconds_left

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HALF_DONE = {"recent": 20, "total": 2_400, "ended": 1_200}
"""At one a second it takes twenty minutes more."""
STILL = {**HALF_DONE, "recent": 0}


def at(minutes: int) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(
    ("documents", "stages", "seconds"),
    [
        ({"done": 4}, HALF_DONE, 1_200),
        ({}, HALF_DONE, 1_200),
        ({"done": 3, "failed": 1, "pending": 3, "running": 1}, HALF_DONE, 3_600),
        ({"done": 4}, STILL, None),
        ({"done": 4}, {"recent": 9, "total": 9, "ended": 9}, 0),
        ({"pending": 4}, {"recent": 0, "total": 0, "ended": 0}, None),
    ],
)
def test_what_is_left_is_what_is_open_and_what_is_not_read_yet(documents, stages, seconds):
    assert seconds_left(documents, stages) == seconds


def test_the_time_left_is_unknown_before_anything_ended():
    assert eta({"done": 1}, {"recent": 0, "total": 5, "ended": 0}) == "not known yet"
    assert eta({"done": 1}, {"recent": 20, "total": 100, "ended": 10}) == "about 1 min 30 s"


def test_only_a_batch_that_runs_has_a_finish_to_expect():
    for state in BatchState:
        found = {"state": state, "documents": {"done": 1}}
        expected = NOW + timedelta(minutes=20) if state == BatchState.RUNNING else None
        assert expected_finish(found, HALF_DONE, NOW) == expected
        assert expected_finish(found, STILL, NOW) is None


@pytest.mark.parametrize(
    ("state", "due", "finished", "stages", "line"),
    [
        ("running", 30, None, HALF_DONE, "12:30, finish expected at 12:20"),
        ("running", 20, None, HALF_DONE, "12:20, finish expected at 12:20"),
        ("running", 5, None, HALF_DONE, "12:05, finish expected at 12:20: late by 15 min"),
        ("running", -60, None, HALF_DONE, "11:00, finish expected at 12:20: late by 1 h 20 min"),
        ("running", 30, None, STILL, "12:30, finish not known yet"),
        ("running", -30, None, STILL, "11:30, finish not known yet: late by 30 min"),
        ("paused", 5, None, HALF_DONE, "12:05, finish not known yet"),
        ("paused", -5, None, HALF_DONE, "11:55, finish not known yet: late by 5 min"),
        ("finished", -30, -40, HALF_DONE, "11:30, finished at 11:20"),
        ("finished", -30, -10, HALF_DONE, "11:30, finished at 11:50: late by 20 min"),
        ("purged", -30, -10, HALF_DONE, "11:30, finished at 11:50: late by 20 min"),
        ("cancelled", -30, -10, HALF_DONE, "11:30"),
    ],
)
def test_a_deadline_is_said_with_the_finish_and_how_late_that_is(
    state, due, finished, stages, line
):
    found = {
        "state": state,
        "documents": {"done": 1},
        "deadline": at(due),
        "finished_at": None if finished is None else at(finished),
    }
    assert deadline_line(found, stages, NOW, "{:%H:%M}".format) == line


def test_a_batch_without_a_deadline_says_nothing_of_it():
    assert deadline_line({"deadline": None}, HALF_DONE, NOW, str) is None
