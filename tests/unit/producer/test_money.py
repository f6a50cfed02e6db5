"""Amounts as people read them, in USD and beside it."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import DisplayConfig
from producer.money import Currency, currency, shown_currency, usd

INR = Currency("INR", Decimal("88.70"), "docmill.toml")
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=8)


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


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "₹0"),
        ("0.0000001", "₹0.0000089"),
        ("0.0000123", "₹0.0011"),
        ("0.0012", "₹0.1064"),
        ("0.0123", "₹1.09"),
        ("11.26", "₹998.76"),
        ("11.28", "₹1,000.54"),
        ("1127.41", "₹1,00,001.27"),
        ("1391.8465", "₹1,23,456.78"),
        ("1234567.89", "₹10,95,06,171.84"),
    ],
)
def test_rupees_have_indian_groups_and_enough_digits(amount: str, shown: str) -> None:
    assert INR.amount(amount) == shown


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("EUR", "€1,234,567.50"),
        ("GBP", "£1,234,567.50"),
        ("JPY", "¥1,234,567.50"),
        ("CHF", "CHF\N{NO-BREAK SPACE}1,234,567.50"),
    ],
)
def test_other_currencies_have_their_sign_or_their_code_and_thousands(
    code: str, shown: str
) -> None:
    assert Currency(code, Decimal("0.5"), "docmill.toml").amount("2469135") == shown


@given(AMOUNTS)
def test_indian_groups_are_two_digits_but_the_last_is_three(amount: Decimal) -> None:
    whole = INR.figure(str(amount)).partition(".")[0]
    *groups, last = whole.split(",")
    assert len(last) == 3 if groups else len(last) <= 3
    assert all(len(group) == 2 for group in groups[1:])
    assert all(1 <= len(group) <= 2 for group in groups[:1])


@given(AMOUNTS)
def test_what_is_shown_is_the_amount_to_within_its_last_digits(amount: Decimal) -> None:
    exact = amount * INR.usd_rate
    shown = Decimal(INR.figure(str(amount)).replace(",", ""))
    assert abs(shown - exact) <= max(Decimal("0.005") if exact >= 1 else 0, exact / 20)
    assert (shown == 0) == (exact == 0)


@pytest.mark.parametrize(
    ("code", "rate", "as_of", "said"),
    [
        ("INR", "88.70", date(2026, 11, 1), "1 USD = ₹88.70 (docmill.toml, 2026-11-01)"),
        ("EUR", "0.86153", None, "1 USD = €0.86153 (docmill.toml)"),
        ("IDR", "16250", None, "1 USD = IDR\N{NO-BREAK SPACE}16,250 (docmill.toml)"),
    ],
)
def test_the_rate_is_shown_in_full_with_where_it_comes_from(
    code: str, rate: str, as_of: date | None, said: str
) -> None:
    chosen = currency(
        DisplayConfig(currency=code, usd_rate=Decimal(rate), as_of=as_of), "docmill.toml"
    )
    assert chosen is not None
    assert chosen.rate == said


def test_without_a_display_section_there_is_usd_only() -> None:
    assert currency(None, "docmill.toml") is None


def test_a_docmill_toml_without_a_display_section_is_not_read_any_further(tmp_path: Path) -> None:
    assert shown_currency() is None
    (tmp_path / "docmill.toml").write_text("[engines.unknown]\n", "utf-8")
    assert shown_currency() is None
    section = '[display]\ncurrency = "INR"\nusd_rate = "88.70"\n'
    (tmp_path / "docmill.toml").write_text(section, "utf-8")
    assert shown_currency() == INR
