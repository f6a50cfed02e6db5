from decimal import Decimal
from io import StringIO
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from models.config import Config, EngineConfig
from models.words import Tier
from producer import render
from producer.costs import advised, reasons, total
from producer.money import Currency
from producer.render import brief
from worker.calls.ledger import Ledger
from worker.calls.prices import PriceBook
from worker.llm.engine import Completion, Finish, Message, Request, Usage
from worker.site import EngineSite

INR = Currency("INR", Decimal("88.70"), "docmill.toml, 2026-11-01")
STATUS = {
    "batch": 3,
    "name": None,
    "state": "finished",
    "policy": "allow-frontier",
    "priority": 0,
    "documents": {"done": 1},
    "jobs": {"done": 2},
    "cost_usd": "0.01234567",
    "cost_unknown_calls": 0,
}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", "text"),
        (None, "-"),
        (True, "true"),
        (3, "3"),
        (2.5, "2.5"),
        ({"summary": "It began."}, "It began."),
        ({"label": None}, "-"),
        ({"total": "75.00", "date": None}, "total: 75.00, date: -"),
        ({"facts": [{"name": "a", "value": "b"}]}, "name: a, value: b"),
        ({"items": ["a", "b"]}, "a; b"),
        (["a", ["b", "c"]], "a; b; c"),
        ({"outer": {"inner": {"x": 1}}}, "1"),
        ({}, ""),
        ([], ""),
        ({"city": "पुणे"}, "पुणे"),
    ],
)
def test_an_answer_is_jotted_down(value, shown):
    assert brief(value) == shown


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_any_answer_can_be_jotted_down(value):
    assert isinstance(brief(value), str)


@pytest.fixture
def terminal(monkeypatch):
    """What a person sees on 80 columns."""
    printed = StringIO()
    monkeypatch.setattr(render, "console", Console(file=printed, width=80))
    return printed.getvalue


def cost_row(key, cost_usd, **more):
    return {
        "key": key,
        "tier": "frontier",
        "calls": 12,
        "input_tokens": 15_846,
        "cached_tokens": None,
        "output_tokens": 2_205,
        "gpu_seconds": None,
        "cost_usd": cost_usd,
        "would_have_cost_usd": cost_usd,
        "unknown_price_calls": 0,
        "lost_calls": 0,
        "reused_answers": 0,
        "reasons": [],
        "stand_in": False,
        **more,
    }


CLAUDE = cost_row("anthropic/claude-sonnet-4-6", "0.0123")
PHI = cost_row("phi4-mini", "2", tier="local", gpu_seconds=71.2, would_have_cost_usd="3.5")
UNPRICED = cost_row(
    "acme/x", None, unknown_price_calls=12, reasons=["no price is known for acme/x"]
)


def words_of(line):
    return line.split()


def test_costs_are_in_usd_alone_without_a_display_currency(terminal):
    render.costs([CLAUDE, PHI], "model", None)
    title, _, head, _, claude, phi, *rest = terminal().splitlines()
    assert (title.strip(), words_of(head)[-2]) == ("costs by model", "USD")
    assert words_of(claude)[1:] == ["frontier", "12", "15,846", "2,205", "-", "0.0123", "0.0123"]
    assert words_of(phi)[-3:] == ["71", "2.0000", "3.5000"]
    assert [line for line in rest if line.strip()] == [
        "* estimate: what the same tokens cost at the frontier model"
    ]


def test_costs_stand_beside_a_display_currency_with_their_total_and_the_rate(terminal):
    render.costs([CLAUDE, PHI], "model", INR)
    lines = terminal().splitlines()
    [head] = [line for line in lines if "calls" in line]
    assert words_of(head)[-3:] == ["USD", "INR", "frontier*"]
    assert words_of(lines[4])[-3:] == ["0.0123", "1.09", "1.09"]
    [summed] = [line for line in lines if line.startswith(" total")]
    assert words_of(summed) == [
        *("total", "24", "31,692", "4,410", "71"),
        *("2.01", "178.49", "311.54"),
    ]
    assert lines[-2:] == [
        "* estimate in INR: what the same tokens cost at the frontier model",
        "1 USD = ₹88.70 (docmill.toml, 2026-11-01)",
    ]


def test_costs_in_two_currencies_fit_80_columns_and_cut_nothing_off(terminal):
    large = cost_row(
        "anthropic/claude-sonnet-4-6",
        "1391.8465",
        calls=123_456,
        input_tokens=1_234_567_890,
        output_tokens=12_345_678,
        gpu_seconds=123_456.7,
    )
    render.costs([large, CLAUDE, PHI], "model", INR)
    shown = terminal()
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    assert "…" not in shown
    for words in ("123,456", "1.2B", "12.3M", "123,457", "1,391.85", "1,23,456.78", "frontier*"):
        assert words in shown
    names = "".join(words_of(line)[0] for line in shown.splitlines()[4:] if line.strip())
    assert names.startswith("anthropic/claude-sonnet-4-6frontier")


@pytest.mark.parametrize("currency", [None, INR])
def test_calls_without_a_price_are_said_with_the_reason_and_what_to_do(terminal, currency):
    render.costs([UNPRICED], "model", currency)
    render.status({**STATUS, "cost_usd": None, "cost_unknown_calls": 12}, {}, [], [UNPRICED], None)
    said = " ".join(terminal().split())
    advice = 'no price is known for acme/x: [prices."acme/x"] in docmill.toml sets one'
    assert f"12 calls of unknown cost, not in USD: {advice}" in said
    assert f"cost: unknown unknown: 12 calls, not in the cost: {advice}" in said
    assert "₹0" not in said
    assert "total 12 15,846 2,205 - unknown unknown unknown" in said or currency is None


@pytest.mark.parametrize(
    ("currency", "line"), [(None, "cost:      $0.01234567"), (INR, "cost:      $0.0123 (₹1.10)")]
)
def test_a_status_shows_what_the_batch_cost(terminal, currency, line):
    render.status(STATUS, {}, [], [], currency)
    assert terminal().splitlines()[-1] == line


def test_a_total_sums_what_is_known():
    found = total([{**CLAUDE, "gpu_seconds": 0.1}, {**PHI, "gpu_seconds": 0.2}, UNPRICED])
    assert (found["cost_usd"], found["gpu_seconds"]) == ("2.0123", 0.3)
    assert (found["calls"], found["unknown_price_calls"]) == (36, 12)
    assert found["cached_tokens"] is None
    assert total([UNPRICED])["cost_usd"] is None


def test_reasons_are_said_once_and_a_missing_one_is_no_stumbling_block():
    rows = [UNPRICED, UNPRICED, {**UNPRICED, "reasons": [None, "stand-in: nobody was asked"]}]
    assert reasons(rows) == [
        'no price is known for acme/x: [prices."acme/x"] in docmill.toml sets one for later calls',
        "no reason given",
        "stand-in: nobody was asked",
    ]


def test_the_ledger_says_of_an_unpriced_model_what_the_advice_looks_for():
    config = EngineConfig(kind="openai", base_url="http://engine")
    site = EngineSite(Tier.FRONTIER, config, lambda: pytest.fail("no engine"), "engine")
    request = Request("nobody/knows", (Message("user", "?"),), max_tokens=1, context_tokens=9)
    completion = Completion("!", Finish.STOP, 1, Usage(1, 0, 1), engine_seconds=None)
    row = Ledger(site, PriceBook(Config()), "x").settled(uuid4(), request, uuid4(), completion)
    assert '[prices."nobody/knows"] in docmill.toml' in advised(row["cost_reason"])
