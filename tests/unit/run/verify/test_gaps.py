"""Lines that look like the rows of a list and have none are said; others are not."""

import pytest

from models.words import TaskType
from worker.run.ground import Source
from worker.run.merge import look
from worker.run.verify.gaps import gaps
from worker.run.windows import whole

SCHEMA = {
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"date": {}, "text": {}, "amount": {}},
            },
        }
    },
}

STATEMENT = """Millbank Savings   Account 77-4711
Date  Text  Amount
2024-01-01  Balance brought forward  120.00
2024-01-01  Tea  3.50
2024-01-01  Coffee house  4.50
2024-01-02  Rent  900.00
Page 1

Millbank Savings   Account 77-4711
2024-01-03  Tea  3.50
2024-01-03  Tea  3.50
2024-01-04  Cake  5.00
Total  920.00
"""

ROWS = [
    ("2024-01-01", "Tea", "3.50"),
    ("2024-01-01", "Coffee house", "4.50"),
    ("2024-01-02", "Rent", "900.00"),
    ("2024-01-03", "Tea", "3.50"),
    ("2024-01-03", "Tea", "3.50"),
    ("2024-01-04", "Cake", "5.00"),
]


def about(rows: list[tuple[str, str, str]], text: str = STATEMENT) -> str | None:
    """What is said of a list; None: nothing is."""
    value = {"rows": [dict(zip(("date", "text", "amount"), row, strict=True)) for row in rows]}
    sources = [Source(50, text, 1, (1, 1))]
    spans = look(TaskType.EXTRACTION, value, SCHEMA, whole(sources)).spans
    found = gaps({"rows": len(rows)}, spans, sources).get("rows")
    return found and found.about


def test_a_list_with_all_its_rows_has_no_gaps():
    assert about(ROWS) is None


@pytest.mark.parametrize("index", range(len(ROWS)))
def test_each_row_that_is_left_out_is_said_also_one_of_two_that_are_equal(index):
    said = about(ROWS[:index] + ROWS[index + 1 :])
    assert said == " ".join(ROWS[index])


def test_of_several_the_first_is_said_and_how_many_more():
    assert about([ROWS[0], *ROWS[3:]]) == "2024-01-01 Coffee house 4.50 (and 1 more)"


def test_it_says_where_the_first_stands():
    value = {"rows": [dict(zip(("date", "text", "amount"), row, strict=True)) for row in ROWS[1:]]}
    sources = [Source(50, STATEMENT, 1, (4, 4))]
    spans = look(TaskType.EXTRACTION, value, SCHEMA, whole(sources)).spans
    check = gaps({"rows": 5}, spans, sources)["rows"]
    first, last = check.span or (0, 0)
    assert STATEMENT[first - 50 : last - 50] == "2024-01-01  Tea  3.50"
    assert (check.outcome, check.code, check.page) == ("check", "gaps", 4)


@pytest.mark.parametrize("rows", [[], ROWS[:2], [("x", "y", "z")] * 5])
def test_too_few_rows_show_nothing(rows):
    assert about(rows) is None


def test_plain_words_and_numbers_outside_of_a_list_are_none_of_its_rows():
    text = "Pages 7\nTea 3\nCoffee 4\nRent 9\nCake 5\nPage 1\n"
    rows = [("", "Tea", "3"), ("", "Coffee", "4"), ("", "Rent", "9"), ("", "Cake", "5")]
    assert about(rows, text) is None
    assert about([*rows[:2], rows[3]], text) == "Rent 9"
    assert about(rows[:3], text) is None


def test_rows_of_which_a_line_holds_several_say_nothing_of_lines():
    text = "Tea 3.50 Coffee 4.50 Rent 9.00\nCake 5.00 Pie 6.00 Bun 7.00\n"
    rows = [("", *each.split(" ")) for each in ("Tea 3.50", "Coffee 4.50", "Cake 5.00", "Pie 6.00")]
    assert about(rows, text) is None
