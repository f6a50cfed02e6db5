"""Other values of a text: what is another number, another amount, another date."""

import pytest

from models.words import TaskType
from worker.run.ground import Source
from worker.run.verify.asked import asked_of
from worker.run.verify.verify import verify


def code(field: str, value: object, text: str) -> str:
    return str(
        verify(TaskType.EXTRACTION, asked_of({field: value}, {}), [Source(0, text)])[field].code
    )


@pytest.mark.parametrize(
    ("field", "value", "text", "expected"),
    [
        ("total", "100", "Total: 100\nTotal: 1000", "conflict"),
        ("total", "1000", "Total: 100\nTotal: 1000", "conflict"),
        ("amount", "Rs 1 lakh", "Amount: Rs 1 lakh\nAmount: Rs 10 lakh", "conflict"),
        ("total", "500.00", "Total: 5 units at 500.00\nTotal: 5,000.00", "conflict"),
        ("price", 500, "The bike cost 500 and the car 5000", "unlabelled"),
    ],
)
def test_a_number_with_more_zeros_is_another_one(field, value, text, expected):
    assert code(field, value, text) == expected


@pytest.mark.parametrize(
    ("field", "value", "text", "expected"),
    [
        ("total", "1,500.00", "Total: 1,500.00\nTotal: 1500", "labelled"),
        ("total", "1.5 lakh", "Total: Rs 1.5 lakh\nTotal: Rs 1,50,000", "labelled"),
        ("budget_in_million", 5, "Budget: 5 million", "labelled"),
        ("size_in_million", 5, "It is 5 million.", "only_one"),
        ("interest", 0.06, "It is 6 % now", "only_one"),
    ],
)
def test_another_form_of_a_number_is_none(field, value, text, expected):
    assert code(field, value, text) == expected


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("total", "$1,200", "Rent $1,200 a month, furniture bought for $1,500."),
        ("total", "₹1,200", "Rent ₹1,200 a month, furniture bought for ₹1,500."),
        ("amount", "EUR 500", "Loan of EUR 25,000 repaid in EUR 500 instalments"),
        ("total", "99.50", "Rent $1,200 a month. Parking $99.50."),
    ],
)
def test_an_amount_with_a_currency_is_another_amount_without_cents_too(field, value, text):
    assert code(field, value, text) == "unlabelled"


def test_a_number_that_is_no_money_is_no_other_amount():
    assert code("total", "$1,200", "Rent $1,200 a month, for 36 months.") == "only_one"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("25/12/2024", "Date: 12/25/2024"),
        ("25.12.2024", "Date: 12/25/2024"),
        ("12/25/2024", "Date: 25.12.2024"),
    ],
)
def test_two_dates_of_one_reading_each_are_one_day_in_any_order(value, text):
    assert code("date", value, text) == "labelled"
    assert code("date", "12/05/2024", "Date: 05/12/2024") == "day_month"
