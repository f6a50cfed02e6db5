"""A page as it is drawn: each word at its place, the value's words marked, and nothing else."""

from models.boxes import BOX, PageBoxes
from producer.web.facsimile import PART, Facsimile, PageWords, facsimile
from worker.read.boxes import WORD

TEXT = "Invoice 7 Total: 42.50 EUR"


def a_page(text: str = TEXT, ratio: float = 0.5, at: int = 100) -> PageWords:
    """Words below each other, each a tenth of the page high, in a text that begins at `at`."""
    spans = [word.span() for word in WORD.finditer(text)]
    places = [BOX.pack(100, 100 * n, 500, 100 * n + 50) for n in range(len(spans))]
    return PageWords(3, at, PageBoxes.of(ratio, spans, places), [(at, text)])


def drawn(page: PageWords, **spans: tuple[int, int]) -> Facsimile:
    found = facsimile(page, spans, next(iter(spans)))
    assert found
    return found


def names(found: Facsimile) -> dict[str, list[str]]:
    return {word.text: list(word.names) for word in found.words if word.names}


def test_the_words_of_a_value_are_marked_and_so_are_those_of_others():
    found = drawn(a_page(), total=(117, 126), number=(108, 109))
    assert [word.text for word in found.words] == TEXT.split()
    assert names(found) == {"7": ["number"], "42.50": ["total"], "EUR": ["total"]}
    assert (found.page, found.height) == (3, 2_000)


def test_a_part_of_a_word_marks_all_of_it_and_a_neighbour_none():
    assert names(drawn(a_page(), total=(118, 119))) == {"42.50": ["total"]}
    assert names(drawn(a_page(), total=(110, 117))) == {"Total:": ["total"]}


def test_a_value_that_does_not_stand_on_the_page_has_no_facsimile():
    for span in ((0, 99), (116, 117), (126, 150)):
        assert facsimile(a_page(), {"total": span}, "total") is None
    assert facsimile(a_page(""), {"total": (100, 105)}, "total") is None


def test_what_is_seen_first_is_around_the_value_and_never_off_the_page():
    assert drawn(a_page(), total=(100, 107)).top == 0
    middle = drawn(a_page(), total=(117, 122))
    assert middle.top == 2_000 * 0.325 - PART / 2
    low = drawn(a_page("x " * 9 + "low"), total=(118, 121))
    assert low.top == 2_000 - PART
    wide = drawn(a_page(ratio=2), total=(117, 122))
    assert (wide.top, wide.part, wide.height) == (0, 500, 500)


def test_words_are_taken_from_whichever_chunk_has_them_and_others_are_not_drawn():
    page = a_page()
    pieces = [(90, "elsewhere Invoice"), (117, "42.50 EUR and more")]
    page = PageWords(page.page, page.char_start, page.boxes, pieces)
    found = drawn(page, total=(117, 122))
    assert [word.text for word in found.words] == ["Invoice", "42.50", "EUR"]


def test_letters_stand_on_their_line_and_an_upright_word_runs_upwards():
    word = drawn(a_page(), total=(117, 122)).words[0]
    assert (word.line, word.size, word.length) == ((100, 80), 80, 400)
    spans, box = [(0, 4)], BOX.pack(100, 100, 120, 500)
    [side] = drawn(
        PageWords(1, 0, PageBoxes.of(1.0, spans, [box]), [(0, "side")]), total=(0, 4)
    ).words
    assert side.is_upright
    assert (side.line, side.size, side.length) == ((116, 500), 16, 400)
