from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from tests.fakes import FakeDatabase
from worker.flow import housekeeping
from worker.flow.housekeeping import (
    BEGINNING,
    LATE_S,
    MONTHS_AGAIN_S,
    MONTHS_S,
    MOST_DUE,
    MOST_REAPED,
    ROUND_S,
    TURN_S,
    WHOLE_S,
    House,
)
from worker.settings import LEASE_S, MAX_DOCUMENT_KILLS, MAX_KILLS

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def reaped(jobs: int = 0, documents: int = 0, pairs: int = 0) -> list[dict[str, Any]]:
    whole = jobs + documents + pairs
    found = {"jobs": jobs, "documents": documents, "pairs": pairs}
    return [{"at": NOON, "all_of_them": whole, **found}]


class Keeping:
    """A house at a time that the test says; `db` holds what its statements bring."""

    def __init__(self, *, was_away: bool = False) -> None:
        self.now = 500.0
        self.db = FakeDatabase(
            flow__bring_due=[{"at": NOON, "n": 0}],
            flow__reap=reaped(),
            flow__fold_counts=[{"last": None, "n": 0}],
            flow__fold_spend=[{"last": None, "n": 0}],
            flow__move_heads=[{"last": None}],
        )
        self.was_away = was_away

    async def begin(self) -> None:
        self.house = House(self.db.run, was_away=self.was_away)
        await self.house.keep()

    async def pass_s(self, seconds: float, *, every: float = TURN_S) -> list[str]:
        """The statements that were run in so many seconds, in order."""
        self.db.transactions.clear()
        for _ in range(round(seconds / every)):
            self.now += every
            await self.house.keep()
        return self.db.ran

    def said(self, name: str) -> list[dict[str, Any]]:
        return [params for each in self.db.transactions for n, params in each if n == name]


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> Keeping:
    made = Keeping()
    monkeypatch.setattr(housekeeping, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


async def test_everything_is_done_once_at_the_beginning(keeping):
    await keeping.begin()
    done = Counter(keeping.db.ran)
    assert set(done.values()) == {1}
    assert {"flow/bring_due", "flow/reap", "flow/forget_workers", "flow/make_months"} <= set(done)


@pytest.mark.parametrize(
    ("statement", "every_s"),
    [
        ("flow/bring_due", TURN_S),
        ("flow/end_holds", TURN_S),
        ("flow/reap", TURN_S),
        ("flow/replace_documents", TURN_S),
        ("flow/fold_counts", TURN_S),
        ("flow/fold_spend", TURN_S),
        ("flow/open_batches", TURN_S),
        ("flow/forget_workers", ROUND_S),
        ("flow/hold_engines", ROUND_S),
        ("flow/unhold_engines", ROUND_S),
        ("flow/sweep_cancelled", TURN_S),
        ("flow/reap_calls", ROUND_S),
        ("flow/move_heads", ROUND_S),
        ("flow/make_months", MONTHS_S),
    ],
)
async def test_how_often_each_is_done(keeping, statement, every_s):
    await keeping.begin()
    done = await keeping.pass_s(10 * every_s, every=max(TURN_S, every_s / 8))
    assert done.count(statement) == 10


async def test_between_two_turns_nothing_is_done(keeping):
    await keeping.begin()
    assert await keeping.pass_s(TURN_S - 0.01, every=TURN_S - 0.01) == []


# --- leases ---------------------------------------------------------------------------------------


async def test_workers_that_lived_through_an_outage_may_renew_first(keeping):
    keeping.was_away = True
    await keeping.begin()
    assert "flow/reap" not in keeping.db.ran
    assert "flow/reap" not in await keeping.pass_s(LEASE_S - TURN_S)
    assert "flow/reap" in await keeping.pass_s(TURN_S)


async def test_a_look_for_leases_goes_on_where_the_last_one_ended_and_begins_again_each_minute(
    keeping,
):
    keeping.db.answers["flow/reap"] = reaped(jobs=3)
    await keeping.begin()
    [first] = keeping.said("flow/reap")
    assert first == {
        "since": BEGINNING,
        "most": MOST_REAPED,
        "job_kills": MAX_KILLS,
        "document_kills": MAX_DOCUMENT_KILLS,
    }
    await keeping.pass_s(TURN_S)
    await keeping.pass_s(WHOLE_S)
    since = [params["since"] for params in keeping.said("flow/reap")]
    assert since.count(BEGINNING) == 1
    assert set(since) == {BEGINNING, NOON}


async def test_a_look_that_found_as_much_as_it_may_is_repeated_from_the_same_place(keeping):
    keeping.db.answers["flow/reap"] = reaped(jobs=MOST_REAPED - 2, documents=1, pairs=1)
    await keeping.begin()
    await keeping.pass_s(2)
    assert {params["since"] for params in keeping.said("flow/reap")} == {BEGINNING}


# --- counts and batches ---------------------------------------------------------------------------


async def test_a_look_for_what_is_due_goes_on_a_little_before_where_the_last_one_ended(keeping):
    keeping.db.answers["flow/bring_due"] = [{"at": NOON, "n": MOST_DUE - 1}]
    await keeping.begin()
    await keeping.pass_s(1)
    since = [params["since"] for params in keeping.said("flow/bring_due")]
    assert since == [BEGINNING, *[NOON - timedelta(seconds=LATE_S)] * 3]
    await keeping.pass_s(WHOLE_S)
    since = [params["since"] for params in keeping.said("flow/bring_due")]
    assert since.count(BEGINNING) == 1


async def test_where_more_is_due_than_one_look_brings_the_next_begins_at_the_same_place(keeping):
    keeping.db.answers["flow/bring_due"] = [{"at": NOON, "n": MOST_DUE}]
    await keeping.begin()
    await keeping.pass_s(1)
    assert {params["since"] for params in keeping.said("flow/bring_due")} == {BEGINNING}


async def test_folding_goes_on_after_what_was_folded_and_begins_again_each_minute(keeping):
    keeping.db.answers["flow/fold_counts"] = [{"last": 70, "n": 9}]
    keeping.db.answers["flow/fold_spend"] = [{"last": 30, "n": 9}]
    await keeping.begin()
    await keeping.pass_s(TURN_S)
    keeping.db.answers["flow/fold_counts"] = [{"last": None, "n": 0}]
    keeping.db.answers["flow/fold_spend"] = [{"last": None, "n": 0}]
    await keeping.pass_s(2)
    assert {params["after"] for params in keeping.said("flow/fold_counts")} == {70}
    assert {params["after"] for params in keeping.said("flow/fold_spend")} == {30}
    await keeping.pass_s(WHOLE_S)
    assert {params["after"] for params in keeping.said("flow/fold_counts")} == {70, 0}


async def test_a_batch_is_looked_at_where_something_was_counted_or_when_its_turn_comes(keeping):
    batches = [2, 4, 6, 8, 10]
    counted = {5: 900, 4: 901}

    def in_turn(params):
        return [{"id": batch} for batch in batches if batch > params["after"]][:2]

    def changed(params):
        return [{"id": b, "last": last} for b, last in counted.items() if last > params["after"]]

    keeping.db.answers |= {"flow/open_batches": in_turn, "flow/changed_batches": changed}
    await keeping.begin()
    assert sorted(keeping.db.given("flow/close_batches")["ids"]) == [2, 4, 5]
    await keeping.pass_s(4 * TURN_S)
    closed = [params["ids"] for params in keeping.said("flow/close_batches")]
    assert [sorted(ids) for ids in closed] == [[6, 8], [10], [2, 4]]  # one turn found no more
    counted[7] = 902
    await keeping.pass_s(TURN_S)
    assert 7 in keeping.db.given("flow/close_batches")["ids"]


async def test_where_no_batch_is_open_none_is_closed(keeping):
    await keeping.begin()
    assert "flow/close_batches" not in await keeping.pass_s(10)


async def test_the_heads_of_all_lines_are_looked_at_in_turn(keeping):
    last = {0: 50, 50: 100, 100: None}
    keeping.db.answers["flow/move_heads"] = lambda params: [{"last": last[params["after"]]}]
    await keeping.begin()
    await keeping.pass_s(3 * ROUND_S)
    assert [params["after"] for params in keeping.said("flow/move_heads")] == [50, 100, 0]


# --- the ledger's partitions ----------------------------------------------------------------------


def raises(fault: Exception):
    def run(_: dict[str, Any]) -> list[Any]:
        raise fault

    return run


async def test_where_the_ledger_is_in_use_its_months_are_made_a_minute_later(keeping):
    keeping.db.answers["flow/make_months"] = raises(psycopg.errors.LockNotAvailable())
    await keeping.begin()
    done = await keeping.pass_s(5 * MONTHS_AGAIN_S, every=1.0)
    assert done.count("flow/make_months") == 5


async def test_a_role_that_may_not_make_months_keeps_house_all_the_same(keeping):
    keeping.db.answers["flow/make_months"] = raises(psycopg.errors.InsufficientPrivilege())
    await keeping.begin()
    assert "flow/reap" in await keeping.pass_s(1)


async def test_any_other_fault_is_the_leaders_to_tell(keeping):
    keeping.db.answers["flow/bring_due"] = raises(psycopg.errors.UndefinedTable("delayed"))
    with pytest.raises(psycopg.errors.UndefinedTable):
        await keeping.begin()
