from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.states import ACTIVE_JOBS, BatchState, DocumentState, JobState
from producer.query import batch_state, is_over, known_cost, money

COUNTS = st.dictionaries(st.sampled_from([*map(str, JobState)]), st.integers(0, 3))
DOCUMENTS = st.dictionaries(st.sampled_from([*map(str, DocumentState)]), st.integers(0, 3))


@pytest.mark.parametrize(
    ("state", "documents", "jobs", "expected"),
    [
        ("running", {"ready": 1}, {"running": 1}, "running"),
        ("running", {"ready": 1}, {"ready": 1, "done": 5}, "running"),
        ("running", {"ready": 1}, {"pending": 1}, "running"),
        ("running", {"pending": 1}, {}, "running"),
        ("running", {"running": 1}, {"done": 5}, "running"),
        ("running", {"done": 1}, {"done": 5, "failed": 1, "held": 2, "skipped": 1}, "finished"),
        ("running", {"failed": 1}, {}, "finished"),
        ("running", {"ready": 1}, {"held": 1}, "finished"),
        ("running", {}, {}, "finished"),
        ("running", {"done": 1, "pending": 0}, {"done": 5, "ready": 0}, "finished"),
        ("paused", {"done": 1}, {"done": 5}, "paused"),
        ("cancelled", {"cancelled": 1}, {"cancelled": 5}, "cancelled"),
        ("finished", {"done": 1}, {"done": 5}, "finished"),
    ],
)
def test_a_batch_is_finished_when_nothing_is_left_to_do(state, documents, jobs, expected):
    assert batch_state(state, documents, jobs) == expected


@given(st.sampled_from(BatchState), DOCUMENTS, COUNTS)
def test_a_batch_with_an_active_job_is_never_called_finished_unless_it_was_noted_so(
    state, documents, jobs
):
    shown = batch_state(state, documents, jobs)
    active = any(jobs.get(key) for key in ACTIVE_JOBS)
    if active:
        assert shown == state
    if state is not BatchState.RUNNING:
        assert shown == state


@pytest.mark.parametrize(
    ("state", "jobs", "over"),
    [
        ("finished", {"done": 1}, True),
        ("finished", {"held": 1}, True),
        ("cancelled", {"cancelled": 1, "done": 1}, True),
        ("cancelled", {"running": 1}, False),
        ("cancelled", {"ready": 1}, False),
        ("running", {"running": 1}, False),
        ("paused", {"ready": 1}, False),
        ("paused", {"done": 1}, False),
    ],
)
def test_a_batch_is_over_when_it_will_not_change_by_itself(state, jobs, over):
    assert is_over({"state": state, "jobs": jobs}) is over


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (Decimal("0"), "0"),
        (Decimal("-0"), "0"),
        (Decimal("0E-10"), "0"),
        (Decimal("0.0000"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.5"),
        (Decimal("0.0000000001"), "0.0000000001"),
        (Decimal("1E-10"), "0.0000000001"),
        (Decimal("-2.500"), "-2.5"),
        (Decimal("100"), "100"),
        (Decimal("12345678901234567890.1"), "12345678901234567890.1"),
    ],
)
def test_money_is_a_plain_decimal_string(value, shown):
    assert money(value) == shown


@given(st.decimals(-(10**9), 10**9, places=10))
def test_money_says_exactly_what_it_is(value):
    shown = money(value)
    assert Decimal(shown) == value
    assert "E" not in shown
    assert shown != "-0"


@pytest.mark.parametrize(
    ("cost", "calls", "shown"),
    [
        (None, 0, "0"),
        (None, 3, None),
        (Decimal("0.5"), 3, "0.5"),
        (Decimal("0"), 3, "0"),
    ],
)
def test_nothing_called_costs_0_and_calls_of_unknown_price_are_unknown(cost, calls, shown):
    assert known_cost(cost, calls) == shown
