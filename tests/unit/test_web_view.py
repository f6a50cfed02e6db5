"""Words and numbers as the page shows them, and values marked in their text."""

import pytest

from producer.web_view import Leaf, Run, eta, leaves, moment, pages, query, runs, usd


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unknown"),
        ("0", "$0"),
        ("0.0000", "$0"),
        ("0.00001", "$0.00001"),
        ("0.0000123456", "$0.000012"),
        ("0.0123", "$0.0123"),
        ("1234.5", "$1,234.5000"),
    ],
)
def test_money_is_never_rounded_to_nothing(amount: str | None, shown: str) -> None:
    assert usd(amount) == shown


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
    assert list(leaves(value, {"facts.0": [4, 5]})) == [
        Leaf("facts.0", "a", (4, 5)),
        Leaf("facts.1.b", None, None),
        Leaf("n", 3, None),
    ]


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


def test_the_time_left_is_unknown_before_anything_ended() -> None:
    assert eta({"recent": 0, "total": 5, "ended": 0}) == "not known yet"
    assert eta({"recent": 20, "total": 100, "ended": 10}) == "about 1 min 30 s"
