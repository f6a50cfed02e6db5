"""Where rows stand: equal ones are told by their places, and neighbours by their order."""

from hypothesis import given
from hypothesis import strategies as st

from worker.run.ground import Source
from worker.run.rows import Way, in_order, rows_of
from worker.run.verify.asked import asked_of
from worker.run.verify.view import view_of

SCHEMA = {
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    name: {"type": ["string", "null"]} for name in ("date", "text", "amount")
                },
            },
        }
    },
}

TEXT = """Statement
01.02.2024  Tea  3.50
01.02.2024  Coffee  4.50
01.02.2024  Coffee  4.50
02.02.2024  Tea  3.50
02.02.2024  Coffee  4.50
"""


def row(*cells: str | None) -> dict[str, str | None]:
    return dict(zip(("date", "text", "amount"), cells, strict=True))


def lines_of(*rows: dict[str, str | None], text: str = TEXT) -> list[int | None]:
    """The line, from 0, that each row ends on."""
    places = rows_of(asked_of({"rows": list(rows)}, SCHEMA), view_of((Source(100, text),))).spans()
    ends = [places.get(f"rows.{n}") for n in range(len(rows))]
    return [None if end is None else text.count("\n", 0, end[1] - 100) for end in ends]


COFFEE, TEA = ("01.02.2024", "Coffee", "4.50"), ("01.02.2024", "Tea", "3.50")


def test_each_row_stands_on_its_line():
    rows = [TEA, COFFEE, COFFEE, ("02.02.2024", "Tea", "3.50"), ("02.02.2024", "Coffee", "4.50")]
    assert lines_of(*(row(*each) for each in rows)) == [1, 2, 3, 4, 5]


def test_of_equal_rows_the_first_stands_first():
    assert lines_of(row(*COFFEE), row(*COFFEE)) == [2, 3]


def test_a_row_that_is_left_out_moves_no_other():
    assert lines_of(row(*TEA), row("02.02.2024", "Tea", "3.50")) == [1, 4]
    assert lines_of(row("02.02.2024", "Coffee", "4.50")) == [5]


def test_one_more_equal_row_than_there_are_has_no_place():
    assert sorted(lines_of(*[row(*COFFEE)] * 3), key=str).count(None) <= 1


def test_a_row_that_stands_nowhere_has_no_place():
    assert lines_of(row("09.09.2024", "Rent", "99.00"), row(*TEA)) == [None, 1]
    assert lines_of(row(None, None, None)) == [None]


def test_the_rest_of_a_row_is_enough():
    assert lines_of(row(None, None, "3.50"), row(*COFFEE)) == [1, 2]
    assert lines_of(row(*TEA), row("01.02.2024", None, None)) == [1, 2]


def test_a_row_over_a_page_break_is_one_row():
    text = "01.02.2024  Tea  3.50\n01.02.2024  Coffee\nPage 1\n\nMillbank Savings\n4.50\n"
    assert lines_of(row(*TEA), row(*COFFEE), text=text) == [0, 5]


def test_rows_under_one_date_end_on_their_own_lines():
    text = "01.02.2024\n  Tea  3.50\n  Coffee  4.50\n  Cocoa 4.75\n"
    rows = [row("01.02.2024", *each) for each in (("Tea", "3.50"), ("Coffee", "4.50"))]
    assert lines_of(*rows, row("01.02.2024", "Cocoa", "4.75"), text=text) == [1, 2, 3]


def test_numbers_and_dates_are_found_in_other_forms():
    schema = {"properties": {"rows": {"items": {"properties": {"n": {}, "date": {}}}}}}
    values = asked_of({"rows": [{"n": 1234.5, "date": "2024-02-01"}]}, schema)
    assert rows_of(values, view_of((Source(0, "1 Feb 2024: 1.234,50"),))).spans() == {
        "rows.0": [0, 20]
    }


WAYS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 50)).map(
            lambda way: Way(way[0], way[0] + way[1], way[2])
        ),
        max_size=5,
    ),
    max_size=7,
)


def best(ways: list[list[Way]], end: int = -1) -> tuple[int, int]:
    """Rows placed and what they cost, negative, by trying everything."""
    if not ways:
        return 0, 0
    tried = [best(ways[1:], end)]
    for way in ways[0]:
        if way.end > end:
            placed, cost = best(ways[1:], way.end)
            tried.append((placed + 1, cost - way.cost))
    return max(tried)


@given(WAYS)
def test_most_rows_are_placed_in_their_order_as_close_as_can_be(ways):
    places = in_order(ways)
    ends = [place[1] for place in places if place]
    assert ends == sorted(set(ends))
    costs = [
        min(way.cost for way in choices if way[:2] == place)
        for choices, place in zip(ways, places, strict=True)
        if place
    ]
    assert (len(costs), -sum(costs)) == best(ways)
