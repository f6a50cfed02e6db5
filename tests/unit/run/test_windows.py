"""Windows of a text: each line in one, with what stands beside it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.run.ground import Source
from worker.run.windows import MARGIN_TOKENS, around, cut, line_start, tokens, whole
from worker.tokens import estimate

LINES = st.lists(st.text("ab \n", min_size=1, max_size=40), min_size=1, max_size=8)


def pieces_of(texts: list[str]) -> list[Source]:
    """Pieces with a space between them, as chunks have it."""
    pieces, at = [], 7
    for number, text in enumerate(texts, start=1):
        pieces.append(Source(at, text, number))
        at += len(text) + 2
    return pieces


@given(LINES, st.integers(1, 60))
def test_windows_cover_a_text_in_order_without_a_gap(texts, most):
    window = whole(pieces_of(texts))
    made = cut(window, window.start, most)
    assert (made[0].start, made[-1].end) == (window.start, window.end)
    assert all(left.end == right.start for left, right in pairwise(made))


@given(LINES, st.integers(1, 60))
def test_what_a_window_shows_stands_at_its_place(texts, most):
    pieces = pieces_of(texts)
    text = dict(enumerate("".join(piece.text + "##" for piece in pieces), start=7))
    for window in cut(whole(pieces), 7, most):
        for piece in window.pieces:
            assert piece.text == "".join(text[piece.start + n] for n in range(len(piece.text)))
        shown = window.pieces
        assert shown[0].start <= window.start
        assert shown[-1].start + len(shown[-1].text) >= min(window.end, max(text) - 1)


@given(LINES, st.integers(5, 60))
def test_a_window_is_of_its_size_unless_one_line_is_more(texts, most):
    window = whole(pieces_of(texts))
    for each in cut(window, window.start, most):
        own = tokens(each, each.start, each.end)
        assert own <= most or not any(
            "\n" in piece.text.strip("\n")
            for piece in each.pieces
            if each.start <= piece.start < each.end
        )


def test_a_part_shows_a_little_of_what_stands_beside_it():
    lines = "".join(f"{n} is a number of lines\n" for n in range(60))
    pieces = pieces_of([lines, "own\n", lines])
    own = pieces[1]
    window = around(pieces, own.start, own.start + len(own.text))
    before, middle, behind = window.pieces
    assert middle == own
    assert lines.endswith(before.text)
    assert lines.startswith(behind.text)
    for piece in (before, behind):
        assert MARGIN_TOKENS / 2 < estimate(piece.text) <= MARGIN_TOKENS + 20
    assert (window.start, window.end) == (own.start, own.start + 4)


def test_a_long_line_is_cut_between_words():
    window = whole([Source(0, "word " * 1_000)])
    made = cut(window, 0, 300)
    assert len(made) > 3
    assert all(each.pieces[-1].text.strip().endswith("word") for each in made)


def test_a_line_begins_behind_the_one_before():
    window = whole([Source(10, "one\ntwo\n"), Source(30, "three")])
    assert [line_start(window, place) for place in (10, 12, 14, 16, 30, 34)] == [
        10,
        10,
        14,
        14,
        30,
        30,
    ]


def test_no_text_is_a_window_too():
    window = whole([])
    assert (window.start, window.end, window.pieces) == (0, 0, ())
    assert cut(window, 0, 5) == ()


def test_a_window_within_a_table_shows_its_head():
    head = "| Date | Text |\n| --- | --- |\n"
    table = head + "".join(f"| 2024-01-{n:02} | Coffee and tea |\n" for n in range(1, 31))
    text = "Before\n" + table + "Behind it\n" * 300
    window = whole([Source(50, text)])
    made = cut(window, 50, 250)
    start = 50 + text.index("| 2024-01-20")
    [inside] = [each for each in made if each.start <= start < each.end]
    assert inside.pieces[0] == Source(50 + 7, head)
    assert made[0].pieces[0].text.startswith("Before")
    assert not made[-1].pieces[0].text.startswith("| Date")
