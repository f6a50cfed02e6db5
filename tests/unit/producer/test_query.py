from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import NotFound
from models.reasons import HoldCode
from models.states import ACTIVE_JOBS, BatchState, DocumentState, JobState, SubmitState
from producer import query
from producer.query import batch_state, is_over, known_cost, money, result_row

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


@pytest.mark.parametrize("state", BatchState)
def test_a_batch_of_which_documents_are_still_on_their_way_is_not_finished(state):
    shown = batch_state(state, {"done": 1}, {"done": 5}, whole=False)
    assert shown == state


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
        ("purged", {}, True),
        ("purged", {"done": 1}, True),
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


# --- rows as both doors show them -----------------------------------------------------------------


class Statements:
    """What each statement of producer/sql brings."""

    def __init__(self, **rows):
        self.rows = rows

    def every(self, name, **params):
        return self.rows.get(name, [])


@pytest.fixture
def database(monkeypatch):
    made = Statements()
    for reads in ("batch", "rows", "trouble"):
        monkeypatch.setattr(f"producer.query.{reads}.every", made.every)
    return made


STATUS = {
    "batch": 3,
    "name": None,
    "state": "running",
    "local_only": True,
    "priority": 0,
    "documents": {"done": 1},
    "jobs": {"done": 2},
    "cost_usd": None,
    "calls": 0,
    "keeps_costs": True,
    "accept_error": None,
    "cost_unknown_calls": 0,
    "submit": SubmitState.WHOLE,
    "deadline": None,
    "started_at": datetime(2026, 5, 1, 1, tzinfo=UTC),
    "changed_at": datetime(2026, 5, 1, 2, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("change", "state", "finished_at"),
    [
        ({}, "finished", "2026-05-01T02:00:00+00:00"),
        ({"submit": SubmitState.UNDER_WAY}, "running", None),
        ({"submit": SubmitState.INTERRUPTED}, "running", None),
        ({"jobs": {"ready": 1}}, "running", None),
        ({"documents": {"pending": 1}}, "running", None),
        ({"state": "paused"}, "paused", None),
        ({"state": "cancelled"}, "cancelled", "2026-05-01T02:00:00+00:00"),
        ({"state": "purged"}, "purged", "2026-05-01T02:00:00+00:00"),
    ],
)
def test_a_status_says_when_a_batch_ended_once_it_has(database, change, state, finished_at):
    database.rows["status"] = [{**STATUS, **change}]
    found = query.status(3)
    assert (found["state"], found["finished_at"]) == (state, finished_at)
    assert (found["policy"], found["cost_usd"]) == ("local-only", "0")


def test_what_a_batch_cost_whose_costs_went_with_it_is_not_known(database):
    database.rows["status"] = [{**STATUS, "state": "purged", "keeps_costs": False}]
    assert query.status(3)["cost_usd"] is None


def test_a_batch_that_there_is_not_is_said_with_what_to_do(database):
    with pytest.raises(NotFound, match="no batch 3; `docmill list` shows those that are"):
        query.status(3)


HELD = {"held_for": HoldCode.BUDGET, "held_about": {"budget_usd": "2", "spent_usd": "1"}}
ROW = {
    "batch": 3,
    "value": {"total": "1", "vendor": "Larkmoor", "extra": None},
    "cost_usd": Decimal("0.500"),
    "input_tokens": Decimal(7),
    "output_tokens": None,
    "latency_ms": 12,
    "error": None,
}


def test_an_answer_has_its_fields_in_the_users_order_and_plain_numbers():
    shown = result_row(ROW, {"vendor": 0, "total": 1})
    assert list(shown["value"]) == ["vendor", "total", "extra"]
    assert (shown["cost_usd"], shown["input_tokens"], shown["output_tokens"]) == ("0.5", 7, None)
    assert shown["error"] is None


def test_a_job_that_is_held_says_why_and_how_to_go_on_where_others_say_what_went_wrong():
    shown = result_row({**ROW, "value": None, **HELD}, {})
    assert shown["error"]["category"] == "budget"
    assert shown["error"]["retryable"] is True
    assert "`docmill resume 3 --max-cost USD`" in shown["error"]["message"]
    engine = {"held_for": HoldCode.ENGINE, "held_about": {"trouble": "auth", "message": "401"}}
    assert result_row({**ROW, **engine}, {})["error"]["category"] == "auth"
    assert result_row({**ROW, "held_for": None, "held_about": None}, {})["error"] is None


def test_what_failed_and_what_is_held_are_told_side_by_side(database):
    failed = {"state": "failed", "category": "timeout", "n": 1, "message": "late"}
    held = {"batch": 3, "jobs": 2, "code": HoldCode.BUDGET, "about": HELD["held_about"]}
    scans = {"kind": "document", "state": "needs_ocr", "category": "needs_ocr", "n": 9}
    database.rows.update(failures=[failed], held=[held], fates=[scans])
    unread, first, second = query.failures(3)
    assert "`docmill documents 3 --state needs_ocr`" in unread["mend"]
    assert (first["state"], first["category"], first["n"]) == ("held", "budget", 2)
    assert "docmill resume 3" in first["message"]
    assert second == {**failed, "mend": None}


def test_what_second_readings_brought_is_unknown_where_a_price_is():
    row = {"batch": 3, "of_jobs": 40, "jobs": 12, "fields": 14, "mended": 12, "unknown": 0}
    found = query.escalation_row({**row, "usd": Decimal("0.0600000000")})
    assert (found["cost_usd"], found["usd_per_mended"]) == ("0.06", "0.005")
    assert (found["batch"], found["jobs"], found["of_jobs"]) == (3, 12, 40)
    unknown = query.escalation_row({**row, "usd": Decimal(0), "unknown": 1})
    assert (unknown["cost_usd"], unknown["usd_per_mended"]) == (None, None)
    none = query.escalation_row({**row, "usd": Decimal(1), "mended": 0})
    assert (none["cost_usd"], none["usd_per_mended"]) == ("1", None)
