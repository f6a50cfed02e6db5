"""The wrong answers that the checks of fields are measured with."""

import pytest

from benchmarks.wrong_answers import wrong_answers

TEXT = """Larkmoor Tea House Ltd
Bill: 12
Date: 05/09/2017, due 21/09/2017
Subtotal: 90.00
Total: 99.50
"""


def made(right: str) -> dict[str, str]:
    return {each.mistake: each.value for each in wrong_answers(right, TEXT, ["Larkmoor"], "seed")}


@pytest.mark.parametrize(
    ("right", "mistakes"),
    [
        (
            "99.50",
            {"another candidate", "digits swapped", "digit dropped", "sign", "unit", "scale"},
        ),
        ("05/09/2017", {"another candidate", "day and month", "digits swapped"}),
        ("2 years", {"unit", "sign"}),
        ("Larkmoor Tea House Ltd", {"another candidate", "half a name", "neighbour's value"}),
    ],
)
def test_a_right_value_gets_each_mistake_that_it_allows(right, mistakes):
    found = made(right)
    assert mistakes | {"invented"} <= found.keys()
    assert right not in found.values()


def test_the_same_seed_makes_the_same_mistakes():
    assert made("99.50") == made("99.50")


def test_another_form_of_the_right_value_is_no_mistake():
    assert "99.5" not in made("99.50").values()
    assert made("2017-09-05").get("day and month") == "2017-05-09"
    assert "day and month" not in made("07/07/2017")
    assert "day and month" not in made("12/25/2017")  # turned it is the same day
