from decimal import Decimal

import pytest

from worker.llm.counts import count, seconds, sum_of, usd


@pytest.mark.parametrize(
    ("stated", "tokens"),
    [
        (0, 0),
        (17, 17),
        (2**31 - 1, 2**31 - 1),
        (2**31, None),
        (4294967295, None),
        (2**64 - 1, None),
        (-1, None),
        (True, None),
        (17.0, None),
        ("17", None),
        (None, None),
        ([], None),
    ],
)
def test_a_number_of_tokens_that_cannot_be_is_unknown(stated, tokens):
    assert count(stated) == tokens


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (1_500_000_000, 1.5),
        (0, 0.0),
        (2.5e9, 2.5),
        (2**64 - 1, None),
        (-5, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("5", None),
        (None, None),
    ],
)
def test_a_time_that_cannot_be_is_unknown(stated, expected):
    assert seconds(stated, 1_000_000_000) == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (0.0123, Decimal("0.0123")),
        (0, Decimal(0)),
        ("0.5", Decimal("0.5")),
        (1e-9, Decimal("1E-9")),
        (-0.01, None),
        (1e12, None),
        ("nan", None),
        (float("inf"), None),
        ("free", None),
        (True, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_amount_of_money_that_cannot_be_is_unknown(stated, expected):
    assert usd(stated) == expected


def test_a_number_of_thousands_of_digits_does_not_make_it_stumble():
    assert (count(10**5000), seconds(10**5000, 1000), usd(10**5000)) == (None, None, None)


def test_what_is_known_of_a_sum_is_its_sum():
    assert sum_of((1.0, None, 0.5)) == 1.5
    assert sum_of((None, None)) is None
