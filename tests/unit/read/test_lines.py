"""What OCR found, put together: from left to right, down the page, and what is left out."""

from worker.read.boxes import placed
from worker.read.grid import Run
from worker.read.lines import Found, in_lines, is_sparse, page


def found(text: str, left: float, top: float, *, height: float = 20, score: float = 0.9) -> Found:
    return Found(Run(text, left, top, left + 80, top + height), score)


def texts(*runs: Found) -> list[list[str]]:
    return [[one.run.text for one in line] for line in in_lines(runs)]


def test_what_stands_beside_each_other_is_a_line_from_left_to_right():
    runs = found("9.90", 300, 102), found("TOTAL", 10, 98), found("CASH", 12, 130)
    assert texts(*runs) == [["TOTAL", "9.90"], ["CASH"]]


def test_a_line_that_runs_down_a_little_is_one_line_and_tight_lines_are_two():
    slanted = [found(str(n), 100 * n, 100 + 3 * n) for n in range(5)]
    assert texts(*slanted) == [["0", "1", "2", "3", "4"]]
    assert texts(found("a", 0, 100), found("b", 0, 112)) == [["a"], ["b"]]


def test_a_small_run_beside_a_large_one_does_not_draw_its_own_neighbours_in():
    large = found("INVOICE", 10, 100, height=60)
    above, below = found("No. 7", 300, 102), found("1 May", 300, 140)
    assert texts(large, above, below) == [["No. 7"], ["INVOICE"], ["1 May"]]


def test_nothing_found_is_an_empty_page():
    assert texts() == []
    assert page([], 1, 1).text == ""


def test_what_it_was_not_sure_of_is_left_out_and_counted():
    lines = [[found("TOTAL", 0, 0), found("9 90", 90, 0, score=0.4)], [found("x", 0, 30, score=0)]]
    read = page(lines, 800, 600)
    assert (read.text, read.lost) == ("TOTAL", 4)
    assert read.share_lost == 4 / 9


def test_a_few_signs_where_a_line_of_letters_stands_are_of_a_script_that_is_not_known():
    line = Found(Run("α,,", 0, 0, 800, 20), 0.66)
    assert is_sparse([[line], [line]])
    assert not is_sparse([[line, Found(Run("x" * 80, 0, 30, 800, 50), 0.9)]])


def test_upright_lines_chinese_signs_and_an_empty_page_are_known():
    assert not is_sparse([[Found(Run("x" * 20, 0, 0, 20, 400), 0.9)]])
    assert not is_sparse([[Found(Run("漢" * 20, 0, 0, 400, 20), 0.9)]])
    assert not is_sparse([])


def test_columns_of_a_receipt_are_kept_apart():
    rows = (("ITEM", "QTY", "AMOUNT"), ("WING COMPASS", "1", "50.88"), ("PUNCH SET", "12", "50.00"))
    lines = [
        [found(text, 200 * column, 30 * row) for column, text in enumerate(texts)]
        for row, texts in enumerate(rows)
    ]
    assert page(lines, 800, 600).text.split("\n") == [
        "ITEM          QTY  AMOUNT",
        "WING COMPASS  1    50.88",
        "PUNCH SET     12   50.00",
    ]


def test_each_word_of_a_line_has_its_share_of_the_box_whatever_order_it_is_written_in():
    lines = [
        [found(text, 200 * column, 30 * row) for column, text in enumerate(texts)]
        for row, texts in enumerate((("a a", "QTY"), ("WING", "1"), ("PUNCH", "12")))
    ]
    read = page(lines, 800, 600)
    boxes = placed(read.text, read.boxes)
    assert boxes
    words = {read.text[word.start : word.end]: word for word in boxes}
    assert list(words) == ["a", "QTY", "WING", "1", "PUNCH", "12"]
    assert (words["QTY"].left, words["QTY"].right, words["12"].left) == (0.25, 0.35, 0.25)
    assert (words["a"].left, words["a"].right) == (0.066, 0.1)
    assert (words["PUNCH"].top, words["PUNCH"].bottom) == (0.1, 0.134)


def test_words_of_an_upright_run_stand_above_each_other():
    read = page([[Found(Run("up down", 0, 0, 20, 70), 0.9)]], 100, 100)
    boxes = placed(read.text, read.boxes)
    assert boxes
    assert [(word.top, word.bottom) for word in boxes] == [(0.0, 0.2), (0.3, 0.7)]


def test_control_codes_are_left_out_of_words_and_counted():
    read = page([[found("TO\x01TAL \x02", 0, 0), found("12", 100, 0)]], 800, 600)
    boxes = placed(read.text, read.boxes)
    assert boxes
    assert (read.text.split(), read.lost) == (["TOTAL", "12"], 2)
    assert [read.text[word.start : word.end] for word in boxes] == ["TOTAL", "12"]
