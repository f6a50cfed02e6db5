"""What shows that a value is right, and what only looks as if it did."""

import pytest

from models.words import TaskType
from worker.run.ground import Source
from worker.run.verify.asked import asked_of
from worker.run.verify.verify import verify


def code(field: str, value: str | None, text: str) -> str | None:
    """None: nothing is said of it."""
    sources = [Source(0, text)]
    found = verify(TaskType.EXTRACTION, asked_of({field: value}, {}), sources).get(field)
    return str(found.code) if found else None


@pytest.mark.parametrize(
    "line",
    [
        "TAX INVOICE",
        "Invoice",
        "Rechnung",
        "請求書",
        "Page 1 of 2",
        "12 High Street",
        "Dear Mrs Berg",
        "Sehr geehrte Frau Berg",
        "尊敬的王先生",
    ],
)
def test_a_first_line_that_is_no_name_is_no_letterhead(line):
    assert code("seller", line, f"{line}\nsome words\n") == "unlabelled"


@pytest.mark.parametrize("line", ["Larkmoor Ltd", "Deary Foods", "Bill's Books", "光株式会社"])
def test_a_name_in_the_first_line_is_one(line):
    assert code("seller", line, f"{line}\nsome words\n") == "letterhead"


@pytest.mark.parametrize(
    "text",
    [
        "Payment by 3 May. Thank you.",
        "Zahlbar am 3. Mai.",
        "on May 3rd",
        "on the 3rd of May",
        "3 de mayo",
        "5月3日",
        "5월 3일",
        "3 மே",
        "Due date: tomorrow",
        "Fällig am\nMontag",
    ],
)
def test_null_is_not_sure_where_a_part_of_a_date_or_its_label_stands(text):
    assert code("due_date", None, text) is None


def test_null_is_not_sure_where_an_amount_stands_in_words():
    assert code("total", None, "Total: five hundred rupees only") is None
    assert code("total", None, "Dear Ann, thank you.") == "absent"
    assert code("due_date", None, "Dear Ann, may I see room 5?") == "absent"


def test_a_date_whose_text_has_its_day_alone_is_not_said_to_have_none():
    assert code("due_date", "2024-06-04", "Payment by 3 May.") == "not_in_text"
    assert code("due_date", "2024-06-04", "Payment.") == "none_in_text"
