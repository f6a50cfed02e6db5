"""Numbers of something: whole, or a part of a longer one."""

import pytest

from models.words import TaskType
from worker.run.ground import Source
from worker.run.verify.asked import asked_of
from worker.run.verify.verify import verify

IBAN = "IBAN: GB82 WEST 1234 5698 7654 32"


def code(field: str, value: str, text: str) -> str:
    sources = [Source(0, text)]
    return str(verify(TaskType.EXTRACTION, asked_of({field: value}, {}), sources)[field].code)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("invoice_no", "INV-2024", "Invoice no: INV-2024-001"),
        ("invoice_no", "2024-001", "Invoice no: INV-2024-001"),
        ("invoice_no", "4711", "Invoice no: 4711-2"),
        ("invoice_no", "4711", "Invoice no: 4711/A"),
        ("iban", "GB82 WEST 1234 5698", IBAN),
        ("iban", "GB82 WEST 1234 5698 7654", IBAN),
        ("account_no", "1234 5678", "Account no: 1234 5678 9012"),
        ("account_no", "1234", "Account no: 1234 5678 9012"),
        ("account_no", "5678 9012", "Account no: 1234 5678 9012"),
        ("tel", "4567 890", "Tel: (030) 4567 890"),
    ],
)
def test_half_a_code_is_a_part(field, value, text):
    assert code(field, value, text) == "part"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("invoice_no", "INV-2024-001", "Invoice no: INV-2024-001"),
        ("iban", "GB82 WEST 1234 5698 7654 32", IBAN),
        ("account_no", "1234 5678 9012", "Account no: 1234 5678 9012."),
        ("bill_no", "452", "Bill No.452 of 3 May 2024"),
        ("bill_no", "452", "Bill no: 452 03/04/2024"),
        ("bill_no", "452", "Bill no: 452 100.00"),
        ("bill_no", "452", "Bill no: 452 2 pencils"),
        ("bill_no", "452", "Bill no: 452 - paid"),
    ],
)
def test_what_stands_beside_a_whole_code_is_none_of_it(field, value, text):
    assert code(field, value, text) == "labelled"
