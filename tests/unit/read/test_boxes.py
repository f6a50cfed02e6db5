"""Boxes as readers tell them: of pages turned and torn, with numbers that no page has."""

from math import inf, nan

import pytest

from models.boxes import MOST_WORDS, PageBoxes
from worker.read.boxes import Edges, boxes, placed
from worker.read.kinds import MAX_CHARACTERS, MAX_PAGES, Page, Text, bounded
from worker.read.places import Places, laid_out

PAGE: Edges = (0, 0, 200, 100)


def shown(*words: Edges, page: Edges = PAGE) -> list[tuple[float, ...] | None]:
    """The boxes of words, one character each; None: it has none."""
    found = placed(" ".join("x" * len(words)), boxes(page, words))
    known = {word.start // 2: tuple(word[2:]) for word in found or ()}
    return [known.get(number) for number in range(len(words))]


def test_a_box_is_told_in_shares_of_its_page():
    assert shown((20, 10, 40, 20)) == [(0.1, 0.1, 0.2, 0.2)]
    assert shown((120, 60, 140, 70), page=(100, 50, 300, 150)) == [(0.1, 0.1, 0.2, 0.2)]
    assert shown((20, -90, 40, -100), page=(0, -100, 200, -200)) == [None]


def test_what_is_off_the_page_is_cut_off():
    assert shown((-50, -5, 20, 10), (190, 90, 1e300, 1e300)) == [
        (0.0, 0.0, 0.1, 0.1),
        (0.95, 0.9, 1.0, 1.0),
    ]
    assert shown((210, 0, 220, 10), (0, -20, 10, -10), (0, 0, 10, 10))[:2] == [None, None]


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_a_word_with_a_number_that_is_none_has_no_box_and_the_others_keep_theirs(bad):
    for place in range(4):
        word = [0.0, 0.0, 20.0, 10.0]
        word[place] = bad
        found = shown((word[0], word[1], word[2], word[3]), (0, 0, 20, 10))
        assert found == [None, (0.0, 0.0, 0.1, 0.1)]


def test_a_word_without_an_extent_has_no_box():
    assert shown((20, 10, 20, 20), (40, 10, 20, 20), (20, 20, 40, 10), (0, 0, 1, 1))[:3] == [
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    "page",
    [(0, 0, 0, 9), (0, 0, 9, 0), (0, 0, nan, 9), (0, 0, inf, 9), (0, 0, 1e-300, 9), (0, 0, 9e9, 9)],
)
def test_a_page_of_no_shape_has_no_boxes(page):
    assert boxes(page, [(0, 0, 1, 1)]) is None


def test_a_page_of_too_many_words_has_no_boxes():
    words = [(0.0, 0.0, 1.0, 1.0)] * (MOST_WORDS + 1)
    assert placed("x " * len(words), boxes(PAGE, words)) is None
    assert placed("x " * MOST_WORDS, boxes(PAGE, words[1:]))


def test_a_document_of_too_many_words_keeps_the_boxes_of_its_first_pages(monkeypatch):
    monkeypatch.setattr("worker.read.kinds.MOST_OF_DOCUMENT", 5)
    two = PageBoxes(1.0, bytes(28))
    text = Text(tuple(Page(number, "a b", boxes=two) for number in (1, 2, 3, 4)))
    found = bounded(text, "a.pdf", MAX_PAGES, MAX_CHARACTERS)
    assert [page.boxes for page in found.pages] == [two, two, None, None]
    assert found.whole == text.whole


def of_typewriter(text: str) -> Places:
    """A page of 100 by 100 on which each character is 2 wide and each line 10 high."""
    ends = list[float]()
    for number, line in enumerate(text.replace("\x02", "\x02\n").split("\n")):
        for word in line.split():
            at, top = 2 * line.index(word), -10 * number
            ends += (at, top, at + 2, top - 10)
            at += 2 * len(word)
            ends += (at - 2, top, at, top - 10)
    return Places(ends, (0, 0, 100, -100), 0)


@pytest.mark.parametrize(
    "text",
    [
        "one word after the other\nand a line below it",
        "Item            Qty\nTask chair       10\nDesk lamp         6\nThe end of it all",
        "a word that is par\x02ted here\nand goes on",
    ],
)
def test_every_word_of_a_text_has_its_own_box_however_it_is_laid_out(text):
    laid, found = laid_out(text, lambda ends: of_typewriter(text))
    boxes = placed(laid, found)
    assert boxes
    where = {}
    for number, line in enumerate(text.replace("\x02", "-\n").split("\n")):
        for word in line.split():
            where[word] = (line.index(word) / 50, number / 10)
    assert {laid[w.start : w.end]: (w.left, w.top) for w in boxes} == where
    assert len(boxes) == len(laid.split())
