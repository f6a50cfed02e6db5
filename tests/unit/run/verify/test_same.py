"""Which forms of a value are no difference."""

import pytest

from worker.compare import fields
from worker.run.verify.same import same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme Ltd.", "ACME  ltd"),
        ("1,234.56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("RM 100.90", "100.90"),
        (100.9, "100.90"),
        (12, 12.0),
        ("5 lakh", "500000"),
        ("(42.50)", "-42.50"),
        ("13/03/2018", "2018-03-13"),
        ("3 May 2024", "2024-05-03"),
        ("05/09/2017", "2017-09-05"),
        ("१२३", "123"),
        ("No. 7, Jalan 2,\nTaman Air", "NO 7 JALAN 2 TAMAN AIR"),
        ("INV-12", "inv 12"),
        ("10 - 12", "10-12"),
        ("DE89 3704 0044", "DE8937040044"),
        ("Rent of 1,200 a month, paid", "rent of 1200 a month paid"),
        (None, None),
        (True, True),
        (["b", "a"], ["A", "B"]),
        ([{"name": "x", "price": "1.50"}], [{"price": 1.5, "name": "X"}]),
        ({"a": "1"}, {"a": "1", "b": None}),
        ("-", "-"),
    ],
)
def test_values_that_say_the_same(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("100.90", "100.09"),
        ("-5.00", "5.00"),
        ("USD 5", "EUR 5"),
        ("2 years", "2 months"),
        ("5 million", "5"),
        ("2018-03-13", "2018-03-14"),
        ("0071", "71"),
        ("1.2.3", "12.3"),
        ("1-2", "12"),
        ("A/1-2", "A12"),
        ("INV-1.2", "INV-12"),
        ("INV_1_2", "INV_12"),
        ("10:30", "1030"),
        ("100 - 200", "100200"),
        ("Acme", "Acme Ltd"),
        ("", "x"),
        ("-", "/"),
        (None, ""),
        (None, "null"),
        (True, "true"),
        (True, 1),
        (False, None),
        (["a"], ["a", "a"]),
        (["a", "a"], ["a", "b"]),
        ({"a": "1"}, {"a": "2"}),
        ({"a": "1"}, ["1"]),
        ({"a": "1"}, "1"),
    ],
)
def test_values_that_do_not(one, other):
    assert not same(one, other)
    assert not same(other, one)


def test_the_fields_of_the_right_answer_are_looked_for_in_what_was_said():
    right = {"total": "5.00", "date": None}
    assert fields(right, {"total": 5, "more": 1}) == {"total": True, "date": True}
    assert fields(right, {"total": "6", "date": "x"}) == {"total": False, "date": False}
    assert fields(right, None) == {"total": False, "date": False}
