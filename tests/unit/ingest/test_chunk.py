import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.ingest.chunk import Piece, chunk
from worker.read.kinds import Text
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
