"""Words and numbers as the page shows them, and values marked in their text."""

from decimal import Decimal
from typing import Any

import pytest

from producer.costs import total
from producer.money import Currency
from producer.web.view import (
    Leaf,
    Run,
    leaves,
    moment,
    page,
    pages,
    query,
    runs,
    sure_spans,
    typed,
)

INR = Currency("INR", Decimal("88.70"), "docmill.toml, 2026-11-01")
LOCAL = {
    "key": "phi4-mini",
    "tier": "local",
    "calls": 3,
    "input_tokens": 900,
    "cached_tokens": None,
    "output_tokens": 60,
    "cost_usd": "0.0123",
    "unknown_price_calls": 0,
    "lost_calls": 0,
    "reused_answers": 0,
    "gpu_seconds": 0.1,
    "would_have_cost_usd": "0.5",
    "reasons": [],
    "stand_in": False,
}
UNPRICED = {
    **LOCAL,
    "key": "acme/x",
    "tier": "frontier",
    "cost_usd": None,
    "unknown_price_calls": 3,
    "gpu_seconds": 0.2,
    "would_have_cost_usd": None,
    "reasons": ["no_price acme/x"],
}


def costs_page(rows: list[dict[str, Any]], currency: Currency | None) -> str:
    more = {"by": "model", "keys": ("model",), "batch": None, "readings": ()}
    response = page("costs.html", rows=rows, total=total(rows), currency=currency, **more)
    return bytes(response.body).decode()


def test_the_costs_page_shows_both_currencies_their_total_and_the_rate() -> None:
    shown = costs_page([LOCAL, {**LOCAL, "cost_usd": "1", "would_have_cost_usd": "2000"}], INR)
    assert '₹1.09 <span class="note">=&nbsp;$0.0123</span>' in shown
    head, _, summed = shown.partition("Total</th>")
    assert "₹89.79" not in head
    for words in ("₹89.79", "=&nbsp;$1.0123", "₹1,77,444.35", ">6<", "1 USD = ₹88.70 (docmill"):
        assert words in summed
    assert "An estimate" in summed


def test_the_costs_page_without_a_display_currency_is_in_usd_alone() -> None:
    shown = costs_page([LOCAL], None)
    assert '<td class="number">$0.0123' in shown
    assert not any(words in shown for words in ("₹", "Total", "1 USD", "=&nbsp;$"))


def test_the_costs_page_says_how_to_price_a_model_and_counts_unknown_as_unknown() -> None:
    shown = costs_page([UNPRICED], INR)
    assert "3 calls" in shown
    assert "[prices.&#34;acme/x&#34;] in docmill.toml" in shown
    table = shown.partition("</tbody>")[0]
    assert "₹" not in table
    assert table.count("unknown") == 4  # cost and estimate, of the row and of the total


def test_a_text_is_cut_where_values_begin_and_end() -> None:
    spans = {"name": [102, 105], "initial": [102, 103], "elsewhere": [5, 9], "cut": [108, 120]}
    assert runs("to Ada, hi", 99, spans) == [
        Run("to ", ()),
        Run("A", ("name", "initial")),
        Run("da", ("name",)),
        Run(", h", ()),
        Run("i", ("cut",)),
    ]


def test_a_text_without_values_is_one_run_and_no_text_is_none() -> None:
    assert runs("abc", 0, {}) == [Run("abc", ())]
    assert runs("", 0, {"x": [0, 4]}) == []


def test_values_are_named_as_their_spans_are() -> None:
    value = {"facts": ["a", {"b": None}], "n": 3}
    wrong = {"outcome": "wrong", "code": "scale", "about": "3 million"}
    assert list(leaves(value, {"facts.0": [4, 5]}, {"n": wrong})) == [
        Leaf("facts.0", "a", (4, 5)),
        Leaf("facts.1.b", None, None),
        Leaf("n", 3, None, wrong),
    ]


def test_what_a_check_says_of_a_list_or_of_what_is_missing_is_shown() -> None:
    value = {"items": [{"amount": "1"}], "date": None}
    checks = {"items": {"code": "own_check"}, "due": {"code": "uncheckable"}}
    found = [(leaf.path, leaf.value, leaf.check) for leaf in leaves(value, {}, checks)]
    assert found == [
        ("items", "1 item", checks["items"]),
        ("items.0.amount", "1", None),
        ("date", None, None),
        ("due", None, checks["due"]),
    ]


def test_what_is_said_of_a_list_as_a_whole_stands_before_its_values() -> None:
    check = {"outcome": "check", "code": "gaps", "about": "Tea 3.50"}
    assert list(leaves({"rows": [{"n": 1}]}, {}, {"rows": check})) == [
        Leaf("rows", "1 item", None, check),
        Leaf("rows.0.n", 1, None),
    ]


def test_a_sure_value_is_marked_in_whatever_form_it_stands() -> None:
    checks = {
        "total": {"outcome": "sure", "code": "labelled", "span": [4, 9]},
        "tax": {"outcome": "wrong", "code": "sign", "span": [1, 3]},
        "due": {"outcome": "sure", "code": "absent", "span": None},
    }
    assert sure_spans(checks) == {"total": [4, 9]}


def test_times_are_shown_in_utc_to_the_second() -> None:
    assert moment("2026-10-05T12:00:00.123456+05:30") == "2026-10-05 06:30:00 UTC"


def test_pages_are_one_number_or_two() -> None:
    assert pages([3, 3]) == "3"
    assert pages([3, 4]) == "3–4"
    assert pages([1, None]) == "1"
    assert pages(None) == ""


def test_links_carry_only_what_is_given() -> None:
    assert query({"ask": 1, "task": None, "document": "a&b"}) == "?ask=1&document=a%26b"
    assert query({"task": None}) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [("a\nb", "a\nb"), (None, ""), (75.5, "75.5"), (True, "true"), ([{"a": "é"}], '[{"a": "é"}]')],
)
def test_a_value_is_shown_for_correction_as_a_person_would_type_it(value, words):
    assert typed(value) == words
