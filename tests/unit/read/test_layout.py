"""Which pages are forms or tables, and how they are written: columns kept apart, nothing lost."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.read import layout
from worker.read.grid import Run
from worker.read.layout import Line, stand_beside, stretched

HIGH, WIDE = 10.0, 5.0
"""How high a line is, and how wide a letter."""


def runs(text: str, left: float = 0, row: float = 0) -> list[Run]:
    """Words as they stand in a text of a typewriter."""
    found, at = list[Run](), 0
    for word in text.split():
        at = text.index(word, at)
        start = left + at * WIDE
        found.append(Run(word, start, row * 12, start + len(word) * WIDE, row * 12 + HIGH))
        at += len(word)
    return found


def line(text: str, left: float = 0, row: float = 0) -> Line:
    return layout.line(" ".join(text.split()), runs(text, left, row))


def page(*texts: str) -> list[Line]:
    return [line(text, row=row) for row, text in enumerate(texts)]


def column(left: float, *texts: str, row: float = 0) -> list[Line]:
    """Lines below each other; "" leaves one out."""
    return [line(text, left, row + number) for number, text in enumerate(texts) if text]


def laid_out(lines: Sequence[Line]) -> list[str]:
    return [row.text for row in layout.laid_out(lines)]


def as_they_are(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


def test_the_columns_of_a_table_are_kept_apart_and_in_line():
    table = page(
        "GREENHOLLOW GARDEN CARE",
        "Description           Qty      Rate          Amount",
        "Task chair             10     725.00       7,250.00",
        "Desk lamp with clamp    6      18.50         111.00",
        "Payment within 30 days.",
    )
    assert laid_out(table) == [
        "GREENHOLLOW GARDEN CARE",
        "Description           Qty   Rate     Amount",
        "Task chair             10  725.00  7,250.00",
        "Desk lamp with clamp    6   18.50    111.00",
        "Payment within 30 days.",
    ]


def test_a_cell_that_stands_alone_keeps_its_place_under_the_others():
    table = page(
        "Item      Weight      Done",
        "First        10%       24%",
        "                       40%",
        "Second       90%        0%",
    )
    assert laid_out(table) == [
        "Item    Weight  Done",
        "First      10%   24%",
        "                 40%",
        "Second     90%    0%",
    ]


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(
            ("The Lessor lets the Premises to the Lessee for", "the Term, with vacant possession."),
            id="running text",
        ),
        pytest.param(
            ("The   Lessor   lets   the   Premises", "to    the    Lessee    for    the   Te"),
            id="justified",
        ),
        pytest.param(
            ("Invoice number:   GH-3390", "Invoice date:     21 May 2026"),
            id="labels with what they name",
        ),
        pytest.param(
            ("1.1     In this deed the words", "1.2     A reference to a statute"),
            id="numbers of clauses",
        ),
        pytest.param(("(a)    the courtyard", "(b)    the loading bay"), id="letters of items"),
        pytest.param(("A B C P E 1 2 3 4 F", "0 1 0 4 2 0 2 6"), id="signs in boxes"),
        pytest.param(("Introduction . . . . . . . 5", "Methods . . . . . . . . . 9"), id="dots"),
        pytest.param(
            (
                "a column of running text with many words    another beside it of as many words",
                "that goes on in its second line like this   and goes on below in its second line",
            ),
            id="an article",
        ),
        pytest.param(("GREENHOLLOW     Page 1", "Dear Sir or Madam, we thank"), id="a head"),
        pytest.param(("Due         Total", "we thank you for your letter"), id="one line"),
        pytest.param(("الكمية      12.00", "المجموع     14.50"), id="right to left"),
        pytest.param(("Garden      care", "Description        of"), id="words not in line"),
        pytest.param(
            ("watched      the beauty above us.", "Daytime is    glorious, but when."),
            id="lines that end at the margin",
        ),
    ],
)
def test_what_reads_well_as_it_is_stays_so(texts):
    lines = page(*texts)
    assert laid_out(lines) == as_they_are(lines)


def test_labels_written_before_what_they_name_come_beside_it():
    labels = column(100, "Invoice no:", "Date:", "Remarks:", "Total:")
    named = [line("GH-3390", 200, 0), line("21 May 2026", 200, 1), line("403.20", 200, 3)]
    assert laid_out([*labels, *named, line("Thank you", 0, 6)]) == [
        "Invoice no:  GH-3390",
        "Date:        21 May 2026",
        "Remarks:",
        "Total:       403.20",
        "Thank you",
    ]


def test_figures_written_behind_all_of_their_words_come_beside_them():
    words = column(0, "Description", "Task chair", "Desk lamp")
    amounts = column(150, "Amount", "7,250.00", "111.00")
    numbers = column(100, "Qty", "10", "6")
    assert laid_out([*words, *numbers, *amounts]) == [
        "Description  Qty  Amount",
        "Task chair   10   7,250.00",
        "Desk lamp    6    111.00",
    ]


def test_words_that_follow_each_other_in_one_line_of_the_page_become_one_line():
    rows = [
        *(line("Vendor", 0, 0), line("Acme Ltd", 100, 0)),
        *(line("Number", 0, 1), line("GH-3390", 100, 1)),
    ]
    assert laid_out(rows) == ["Vendor  Acme Ltd", "Number  GH-3390"]


ADDRESS = ("Acme Ltd", "12 High Street", "Port Ellery")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(ADDRESS, ("Beta Ltd", "4 Low Road", "Ashgrove"), id="two addresses"),
        pytest.param(ADDRESS, ("Invoice no:", "Date:", "Total:"), id="an address and labels"),
        pytest.param(
            ("Garden", "care in", "spring"), ("403.20", "111.00"), id="a cell of several lines"
        ),
        pytest.param(("Sum over k", "and over j"), ("d = 0", "k = 1"), id="two lines of figures"),
        pytest.param(
            ("we thank you for your letter of May", "and hope that you are well today") * 2,
            ("1", "2", "3", "4"),
            id="numbers of lines",
        ),
        pytest.param(("Date:", "Due:"), ("Total:", "Paid:"), id="labels and labels"),
        pytest.param(
            ("Number:", "as on the bill", "Date:", "Due:"),
            ("GH-3390", "", "3 May", "9 May"),
            id="a label of two lines",
        ),
        pytest.param(
            ("Number:", "", "Date:"), ("GH-3390", "Part 2", "3 May"), id="a value of two lines"
        ),
        pytest.param(("Title",) * 3, tuple(map(str, range(9))), id="a long column of numbers"),
    ],
)
def test_columns_that_do_not_belong_together_stay_one_after_the_other(left, right):
    lines = [*column(0, *left), *column(250, *right)]
    assert laid_out(lines) == as_they_are(lines)


def test_only_neighbours_belong_together():
    address, labels = column(0, *ADDRESS), column(150, "Invoice no:", "Date:", "Total:")
    named = column(250, "GH-3390", "21 May 2026", "403.20")
    assert laid_out([*address, *labels, *named]) == [
        *ADDRESS,
        "Invoice no:  GH-3390",
        "Date:        21 May 2026",
        "Total:       403.20",
    ]


def test_a_line_whose_place_is_not_known_stays_where_it_is():
    table = page("Qty      Rate", "10       7.00", "6        1.50")
    assert laid_out([*table, Line("sideways"), Line("")])[3:] == ["sideways", ""]


@given(
    st.lists(
        st.lists(
            st.tuples(st.text("ab1:. ", min_size=1, max_size=9), st.integers(0, 60)), max_size=5
        ),
        max_size=12,
    )
)
def test_no_word_is_ever_added_or_lost_and_each_row_knows_which_it_has(rows):
    lines, known = list[Line](), list[str]()
    for row, cells in enumerate(rows):
        words = list(chain.from_iterable(runs(text, left * WIDE, row % 7) for text, left in cells))
        words.sort(key=lambda run: run.left)
        words = [run._replace(first=len(known) + number) for number, run in enumerate(words)]
        known += [run.text for run in words]
        said = " ".join(run.text for run in words)
        lines.append(layout.line(said, words) if words else Line(""))
    found = Counter(" ".join(laid_out(lines)).split())
    assert found == Counter(" ".join(as_they_are(lines)).split())
    for row in layout.laid_out(lines):
        assert [known[number] for number in row.words] == row.text.split()


def test_a_page_of_more_lines_than_people_read_stays_as_it_is():
    table = page(*["Qty      Rate", "10       7.00"] * (layout.MOST_LINES // 2 + 1))
    assert laid_out(table) == as_they_are(table)
    assert stretched(table) == set()
    assert not stand_beside(table)


def test_what_stands_far_out_makes_no_line_without_end():
    far = [line("Qty", 0, row)._replace(cells=()) for row in (0, 1)]
    wide = [
        layout.line("garden care", [*runs("garden", 0, row), *runs("care", 1e12, row)])
        for row in range(2, 5)
    ]
    assert laid_out([*far, *wide])[2:] == ["garden  care"] * 3


@pytest.mark.parametrize(
    ("words", "cells", "clear"),
    [
        pytest.param(("Total", 10, "9.90"), 2, True, id="a wide gap"),
        pytest.param(("Total", 9, "9.90"), 1, False, id="no wide gap"),
        pytest.param(("All", 3, "in", 10, "9.90"), 2, True, id="wide beside others"),
        pytest.param(("said.", 12, "Then", 7, "it"), 2, False, id="hardly wider than others"),
        pytest.param(("we", 12, "thank", 14, "you"), 3, False, id="all alike"),
        pytest.param(("Chair", 12, "10", 14, "7.25"), 3, True, id="all alike, of figures"),
        pytest.param(("0", 12, "1", 12, "4"), 1, False, id="signs in boxes"),
        pytest.param(("0", 30, "1", 60, "4"), 3, True, id="single figures of a table"),
    ],
)
def test_a_gap_parts_columns_where_it_is_wide_and_stands_out(words, cells, clear):
    placed, at = list[Run](), 0.0
    for text, gap in zip(words[::2], [*words[1::2], 0], strict=True):
        end = at + len(text) * WIDE
        placed.append(Run(text, at, 0, end, HIGH))
        at = end + gap
    found = layout.line("", placed)
    assert (len(found.cells), found.is_clear) == (cells, clear)


def test_blocks_without_number_stay_one_after_the_other():
    """A hostile page would have all of them compared with each other."""
    blocks = [column(60 * n, "10", "20", "30") for n in range(layout.MOST_BLOCKS + 1)]
    lines = list(chain.from_iterable(blocks))
    assert laid_out(lines) == as_they_are(lines)


def extents(*texts: str) -> list[Line]:
    """Lines as they are before their words are looked at."""
    known = page(*texts)
    return [one._replace(cells=(one.extent,)) for one in known]


TEXT = ("The Lessor lets the Premises to the", "Lessee for the Term, with possession")


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (TEXT * 4, set()),
        (
            (*TEXT * 4, "Qty        Rate        Amount", "10         7.00         70.00"),
            {6, 7, 8, 9},
        ),
        (("Qty              Rate              Amount", "10        7.00      70.00"), {0, 1}),
        ((*TEXT * 4, "Signed            by me"), set()),
        ((*TEXT * 4, "Alpha        Beta and Gamma", "Delta        Epsilon by us"), {6, 7, 8, 9}),
        (("Alone",), set()),
        ((), set()),
    ],
)
def test_only_lines_near_some_that_are_longer_than_their_characters_are_looked_at(texts, found):
    assert stretched(extents(*texts)) == found


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        (("Date:", "Total:"), ("3 May", "9.90"), True),
        (("Date:", "Total:"), ("3 May",), False),
        ((TEXT[0], TEXT[0]), ("1", "2"), False),
        ((TEXT[0], TEXT[0]), (TEXT[0], TEXT[0]), False),
    ],
)
def test_columns_are_told_by_lines_beside_lines_other_than_those_of_running_text(
    left, right, found
):
    lines = [*column(0, *left), *column(300, *right)]
    assert stand_beside([one._replace(cells=(one.extent,)) for one in lines]) is found


def test_lines_of_no_height_say_nothing_of_those_that_have_one():
    flat = [Line("a b", (Run("a b", 0, row, 15, row),)) for row in range(8)]
    assert stretched([*flat, *extents("one readable line")]) == set()
