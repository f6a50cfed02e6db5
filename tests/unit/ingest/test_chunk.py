import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.ingest.chunk import Piece, chunk
from worker.read.kinds import Page, Text, Why, gaps
from worker.tokens import estimate

ALPHABET = st.one_of(
    st.sampled_from("ab Z9.?!।\n\n\t -क्षिमराأبت漢字。🙂é\u200d\u3000\x0c"),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"),
)
PAGES = st.lists(st.text(ALPHABET, max_size=400), max_size=6)
BUDGETS = st.integers(min_value=4, max_value=120)


def pieces(*pages: str, budget: int) -> list[Piece]:
    return chunk(Text.of(pages), budget)


def texts(*pages: str, budget: int) -> list[str]:
    return [piece.text for piece in pieces(*pages, budget=budget)]


def visible(text: str) -> str:
    return "".join(text.split())


@given(PAGES, BUDGETS)
def test_nothing_but_white_space_is_lost(pages, budget):
    text = Text.of(pages)
    kept = "".join(piece.text for piece in chunk(text, budget))
    assert visible(kept) == visible(text.whole)


@given(PAGES, BUDGETS)
def test_a_pieces_range_is_its_text_in_the_whole(pages, budget):
    text = Text.of(pages)
    for piece in chunk(text, budget):
        assert text.whole[piece.char_start : piece.char_end] == piece.text
        assert piece.tokens == estimate(piece.text)


@given(PAGES, BUDGETS)
def test_ranges_ascend_without_overlap_and_ordinals_count_from_one(pages, budget):
    found = pieces(*pages, budget=budget)
    assert [piece.ordinal for piece in found] == list(range(1, len(found) + 1))
    for left, right in itertools.pairwise(found):
        assert left.char_start <= left.char_end <= right.char_start
        assert left.page_to <= right.page_from or not (left.blank or right.blank)


@given(PAGES, BUDGETS)
def test_every_piece_is_within_the_budget(pages, budget):
    assert all(piece.tokens <= budget for piece in pieces(*pages, budget=budget))


@given(PAGES, BUDGETS)
def test_no_two_neighbours_would_fit_into_one_piece(pages, budget):
    text = Text.of(pages)
    for left, right in itertools.pairwise(chunk(text, budget)):
        if left.blank is None and right.blank is None and left.page_to == right.page_from:
            assert estimate(text.whole[left.char_start : right.char_end]) > budget


@given(PAGES, BUDGETS)
def test_every_page_is_in_some_piece(pages, budget):
    covered: set[int] = set()
    for piece in pieces(*pages, budget=budget):
        covered |= set(range(piece.page_from, piece.page_to + 1))
    assert covered == set(range(1, len(pages) + 1))


@given(PAGES, BUDGETS)
def test_the_same_text_is_always_cut_the_same_way(pages, budget):
    assert pieces(*pages, budget=budget) == pieces(*pages, budget=budget)


@given(PAGES, BUDGETS)
def test_a_piece_is_blank_exactly_when_it_has_no_letter_or_digit(pages, budget):
    for piece in pieces(*pages, budget=budget):
        assert (piece.blank is None) == any(sign.isalnum() for sign in piece.text)


def test_a_cut_falls_on_a_blank_line_before_anything_else():
    page = "One two. Three four\nfive six.\n \nSeven eight. Nine ten\neleven."
    assert texts(page, budget=10) == [
        "One two. Three four\nfive six.",
        "Seven eight. Nine ten\neleven.",
    ]


def test_a_cut_falls_on_a_line_end_where_no_blank_line_is():
    page = "One two. Three four\nfive six. Seven eight"
    assert texts(page, budget=9) == ["One two. Three four", "five six. Seven eight"]


@pytest.mark.parametrize("stop", [".", "?", "!", "।"])
def test_a_cut_falls_on_a_sentence_end_where_no_line_end_is(stop):
    page = f"aa bb cc{stop} dd ee ff gg"
    assert texts(page, budget=5) == [f"aa bb cc{stop}", "dd ee ff gg"]


def test_a_cut_falls_between_words_where_no_sentence_ends():
    assert texts("aaaa bbbb cccc dddd", budget=3) == ["aaaa bbbb", "cccc dddd"]


def test_a_word_over_the_budget_is_cut_hard():
    assert texts("a" * 30, budget=3) == ["a" * 12, "a" * 12, "a" * 6]


def test_a_hard_cut_keeps_a_vowel_sign_with_its_letter():
    found = texts("कि" * 40, budget=7)
    assert "".join(found) == "कि" * 40
    assert all(part.startswith("क") for part in found)


def test_an_early_border_does_not_leave_a_tiny_piece():
    page = "Title\n\n" + "word " * 100
    assert texts(page, budget=60)[0].startswith("Title\n\nword word")


def test_a_short_piece_before_a_cut_is_joined_to_its_neighbour_if_both_fit():
    page = "a" * 20 + "\n\n" + "b" * 20 + "\n" + "c" * 200
    assert texts(page, budget=20)[0] == "a" * 20 + "\n\n" + "b" * 20


def test_pages_share_a_piece_while_they_fit():
    (piece,) = pieces("First page.", "Second page.", budget=100)
    assert (piece.page_from, piece.page_to) == (1, 2)
    assert piece.text == "First page.\n\nSecond page."


def test_pages_without_text_become_one_blank_piece_in_their_place():
    first, blank, last = pieces("Words.", "", " \n", "More.", budget=100)
    assert (first.page_to, last.page_from) == (1, 4)
    assert (blank.page_from, blank.page_to) == (2, 3)
    assert blank.blank == "no text on pages 2-3 (scanned or empty?)"
    assert blank.text == ""


def test_what_ocr_reads_or_could_read_is_cut_by_itself_so_that_the_rest_is_cut_alike():
    def cut(scanned: bool, *pages: str) -> list[str]:
        read = [Page(n, text, scanned=scanned and n in (2, 3)) for n, text in enumerate(pages, 1)]
        missing = () if scanned else gaps({2: Why.NEEDS_OCR, 3: Why.NEEDS_OCR})
        return [piece.text for piece in chunk(Text(tuple(read), gaps=missing), 100)]

    before = cut(False, "The first page.", "Page 2 of 4", "", "The last page.")
    after = cut(True, "The first page.", "Page 2 of 4\n\nSeen.", "Seen too.", "The last page.")
    assert before == ["The first page.", "Page 2 of 4", "", "The last page."]
    assert after == ["The first page.", "Page 2 of 4\n\nSeen.\n\nSeen too.", "The last page."]


def test_a_page_of_ornaments_is_blank_and_keeps_them():
    (piece,) = pieces("* * *", budget=100)
    assert piece.blank == "no letters or digits on page 1"
    assert piece.text == "* * *"


def test_a_document_without_pages_has_no_pieces():
    assert pieces(budget=10) == []


def test_a_character_dearer_than_the_budget_is_a_piece_of_its_own():
    assert texts("🙂🙂", budget=1) == ["🙂", "🙂"]


def test_a_budget_below_one_token_is_refused():
    with pytest.raises(ValueError, match="at least 1 token, not 0"):
        chunk(Text.of(["x"]), 0)


# --- tables ---------------------------------------------------------------------------------------

HEADER = "| item | total |\n|---|---|\n"


def table(rows: int) -> str:
    return HEADER + "".join(f"| thing {n} | {n * 7} |\n" for n in range(rows))


def with_headers(whole: str, found: list[Piece]) -> str:
    """The text that offsets count in: rebuilt from what is between the pieces and in them."""
    made, at = "", 0
    for piece in found:
        gap = piece.char_start - len(made)
        made += whole[at : at + gap] + piece.text
        at = whole.index(piece.text.removeprefix(HEADER), at) + len(piece.text.removeprefix(HEADER))
    return made


def test_a_piece_that_begins_within_a_table_begins_with_its_header():
    found = pieces("Bill of May.\n\n" + table(60) + "\nThank you.", budget=90)
    assert len(found) > 5
    assert found[0].text.startswith("Bill of May.\n\n| item | total |\n|---|---|\n| thing 0 ")
    for piece in found[1:-1]:
        assert piece.text.startswith(HEADER + "| thing ")
    rows = [line for piece in found for line in piece.text.splitlines() if "| thing" in line]
    assert rows == table(60).splitlines()[2:]
    assert all(piece.tokens <= 90 for piece in found)


def test_offsets_count_in_the_text_with_its_repeated_headers():
    page = "Bill of May.\n\n" + table(60) + "\nThank you. " + "word " * 80
    found = pieces(page, "Second page. " * 30, budget=90)
    whole = with_headers(Text.of([page, "Second page. " * 30]).whole, found)
    for piece in found:
        assert whole[piece.char_start : piece.char_end] == piece.text
    assert all(a.char_end <= b.char_start for a, b in itertools.pairwise(found))


def test_what_follows_a_table_has_no_header():
    found = pieces(table(3) + "\n" + "Plain words. " * 60, budget=40)
    assert all(HEADER not in piece.text for piece in found[1:])


def test_a_header_that_would_fill_the_piece_is_not_repeated():
    wide = "| " + " | ".join(f"column {n}" for n in range(40)) + " |"
    page = f"{wide}\n|{'---|' * 40}\n" + "".join(f"| row {n} |\n" for n in range(60))
    assert sum("column 39" in text for text in texts(page, budget=60)) == 1


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=4), st.integers(min_value=80, max_value=250)
)
def test_no_row_is_lost_or_said_twice_and_every_piece_of_rows_is_named(sizes, budget):
    page = "\n\n".join(f"Part {n}.\n\n{table(rows)}" for n, rows in enumerate(sizes))
    found = pieces(page, budget=budget)
    rows = [line for piece in found for line in piece.text.splitlines() if "| thing" in line]
    assert rows == [line for line in page.splitlines() if "| thing" in line]
    for piece in found:
        assert piece.tokens <= budget
        if "| thing" in piece.text:
            assert HEADER.strip() in piece.text
