"""What a table's row shows of its values."""

from collections.abc import Mapping, Sequence
from unittest.mock import patch

from models.words import TaskType
from worker.run.ground import Source
from worker.run.merge import look
from worker.run.verify import numbers, spots
from worker.run.windows import whole

COLUMNS = ("name", "quantity", "price")
SCHEMA = {"properties": {"items": {"items": {"properties": {name: {} for name in COLUMNS}}}}}


def codes(text: str, *rows: Sequence[str]) -> list[list[str]]:
    """Of each value, row by row."""
    items = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    seen = look(TaskType.EXTRACTION, {"items": items}, SCHEMA, whole((Source(0, text),)))
    return [_codes(seen.fields, f"items.{n}") for n in range(len(rows))]


def _codes(fields: Mapping, item: str) -> list[str]:
    return [str(fields[f"{item}.{name}"].code) for name in COLUMNS]


ROW, UNLABELLED = ["row"] * 3, ["unlabelled"] * 3
PENCIL, PEN = ("Pencil", "2", "1.50"), ("Pen", "3", "2.00")
TABLE = "Item Quantity Price\nPencil 2 1.50\nPen 3 2.00\n"


def test_values_on_the_line_of_their_own_row_are_sure():
    assert codes(TABLE, PENCIL, PEN) == [ROW, ROW]


def test_a_line_shows_one_row_and_not_two():
    assert codes(TABLE, PENCIL, PENCIL) == [ROW, UNLABELLED]
    assert codes("Pencil 2 1.50\nPencil 2 1.50\n", PENCIL, PENCIL) == [ROW, ROW]


def test_values_of_two_columns_that_changed_places_are_not_sure():
    swapped = ("Pencil", "1.50", "2")
    assert codes(TABLE, swapped)[0][1:] == ["unlabelled"] * 2
    assert codes(TABLE, swapped, ("Pen", "2.00", "3"))[1][1:] == ["unlabelled"] * 2
    headless = "Pencil 2 1.50\nPen 3 2.00\nInk 1 4.00\n"
    found = codes(headless, PENCIL, PEN, ("Ink", "4.00", "1"))
    assert found[:2] == [ROW, ROW]
    assert "row" not in found[2][1:]


def test_one_place_is_not_that_of_two_values():
    assert codes("Pencil 2 1.50\n", ("Pencil", "2", "2"))[0][1:] == UNLABELLED[1:]


def test_a_long_table_is_judged_the_same_at_its_end():
    rows = [(f"Pencil{n}", "2", f"{n}.50") for n in range(100, 160)]
    text = "".join(" ".join(row) + "\n" for row in rows)
    assert codes(text, *rows) == [ROW] * 60


def test_rows_that_share_a_line_are_judged_by_their_own_part_of_it():
    text, ink = "Pencil 2 1.50  Ink 3 9.00\n", ("Ink", "3", "9.00")
    assert codes(text, PENCIL, ink) == [ROW, ROW]
    assert "row" not in codes(text, ("Pencil", "2", "9.00"), ink)[0]


def test_a_number_of_a_text_is_read_once_whatever_the_rows():
    text = "Pencil 2 1.50\n" * 30 + "\nThe end.\n"
    with (
        patch.object(numbers, "_number", wraps=numbers._number) as read,
        patch.object(spots, "_spots", wraps=spots._spots) as looked,
    ):
        codes(text, *[PENCIL] * 30)
    assert read.call_count <= 60 + 2
    assert looked.call_count == len(PENCIL)
