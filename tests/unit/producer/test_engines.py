"""Engines as people read them: their state, and from when on a machine pays."""

from decimal import Decimal
from typing import Any

import pytest

from producer import engines as of_engines
from producer.engines import HEADINGS, cells, engine_row, retiring, state, verdicts

ROW: dict[str, Any] = {
    "engine": "local",
    "zone": "local",
    "model": "phi4-mini",
    "addresses": ["gpu1:11434", "gpu2:11434"],
    "workers": 2,
    "slots": 8,
    "in_use": 3,
    "code": None,
    "shut_at": 0,
    "calls": 12_345,
    "tokens_per_second": Decimal("41.26"),
    "usd_per_mtok": Decimal("0.117"),
    "frontier_usd_per_mtok": Decimal("3.3600"),
    "tokens_per_hour": Decimal(2_500_000),
    "usd_per_hour": Decimal("1.29"),
    "machines": 2,
    "break_even_tokens_per_hour": Decimal("767857.14"),
}


def row(**changes: Any) -> dict[str, Any]:
    return engine_row({**ROW, **changes})


def test_a_row_says_who_serves_what_and_what_it_comes_to():
    said = dict(zip(HEADINGS, cells(row()), strict=True))
    assert said == {
        "engine": "local",
        "model": "phi4-mini",
        "where": "gpu1:11434, gpu2:11434",
        "slots": "3/8",
        "state": "ok",
        "calls": "12,345",
        "tok/s": "41",
        "USD/M": "0.12",
        "frontier/M": "3.36",
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "ok"),
        ({"workers": 0}, "no worker"),
        ({"code": "died", "shut_at": 1}, "died at 1 of 2"),
        ({"code": "model_not_found", "shut_at": 2}, "model_not_found"),
    ],
)
def test_the_state_of_a_model_at_its_engine(changes, said):
    assert state({**ROW, **changes}) == said


def test_what_is_not_known_is_not_0():
    unknown = dict.fromkeys(
        ("tokens_per_second", "usd_per_mtok", "frontier_usd_per_mtok", "tokens_per_hour")
    )
    bare = row(**unknown, workers=0, addresses=[], calls=0)
    assert cells(bare)[2:] == ["-", "-", "no worker", "0", "-", "unknown", "unknown"]


def test_machines_pay_from_the_volume_on_that_the_frontier_would_cost_as_much_for():
    both = [row(), row(model="gemma3:4b")]  # two models of one engine share its machines
    assert list(verdicts(both)) == [
        "local at 2 x $1.29 an hour: cheaper than the frontier from 768k tokens an hour on; "
        "2.5M now: it pays"
    ]
    [idle] = verdicts([row(tokens_per_hour=Decimal(200), machines=1)])
    assert idle.startswith("local at $1.29 an hour")
    assert idle.endswith("200 now: it does not pay yet")
    assert list(verdicts([row(break_even_tokens_per_hour=None)])) == []


def test_a_hosted_model_that_is_to_be_taken_away_is_said_to_be(monkeypatch):
    monkeypatch.setattr(of_engines, "retires", lambda model: model == "old")
    found = [row(zone="frontier", model=model) for model in ("old", "new", "old")]
    found.append(row(model="old"))  # on a machine of one's own
    assert [one["retires"] for one in found] == [True, False, True, False]
    assert list(retiring(found)) == ["old: its provider has announced that it takes it away"]
