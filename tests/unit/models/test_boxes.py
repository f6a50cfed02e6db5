"""Where words stand: packed, made small, and read back as it was."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from models.boxes import BOX, LONGEST, STEPS, PageBoxes, Word

EDGE = st.integers(0, STEPS)
WORDS = st.lists(st.tuples(st.integers(1, LONGEST), st.tuples(EDGE, EDGE, EDGE, EDGE)), max_size=40)


def packed(words: list[tuple[int, tuple[int, int, int, int]]]) -> PageBoxes:
    """Words of these lengths, one space between them."""
    ends = list(accumulate((length + 1 for length, _ in words), initial=0))
    spans = [(start, start + length) for start, (length, _) in zip(ends, words, strict=False)]
    return PageBoxes.of(0.7, spans, [BOX.pack(*box) for _, box in words])


@given(WORDS)
def test_what_is_made_small_is_read_back_as_it_was(words):
    boxes = packed(words)
    assert PageBoxes.of_compact(boxes.ratio, boxes.compact()) == boxes
    assert [(word.end - word.start, word.bottom) for word in boxes] == [
        (length, box[3] / STEPS) for length, box in words
    ]


def test_a_word_of_a_page_takes_about_five_bytes():
    line = [(2 + n % 7, (80 * n, 20, 80 * n + 60, 32)) for n in range(12)]
    page = [
        (n, (a, y + b, c, y + d)) for y in range(0, 900, 20) for n, (a, b, c, d) in line
    ]  # no page is as even as this
    assert len(packed(page).compact()) < 5 * len(page)


def test_words_without_a_box_and_those_that_are_too_long_are_left_out():
    box, spans = BOX.pack(1, 2, 3, 4), [(0, 3), (4, 7), (8, 9 + LONGEST)]
    boxes = PageBoxes.of(1.0, spans, [box, None, box])
    assert list(boxes) == [Word(0, 3, 0.001, 0.002, 0.003, 0.004)]
    assert len(boxes) == 1


def test_words_move_with_their_text():
    boxes = packed([(3, (0, 0, 9, 9)), (4, (9, 0, 20, 9))])
    assert [(word.start, word.end) for word in boxes.moved(5)] == [(5, 8), (9, 13)]
    assert boxes.moved(0) is boxes
    later = boxes.shifted(lambda at: 10 if at else 0)
    assert [(word.start, word.end) for word in later] == [(0, 3), (14, 18)]
    assert list(boxes + later) == [*boxes, *later]
