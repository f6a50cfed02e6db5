"""Where words stand, counted in the text that chunks hold."""

from base64 import b64decode

from models.boxes import BOX, PageBoxes
from worker.ingest.boxes import box_rows
from worker.ingest.chunk import chunk
from worker.read.boxes import WORD
from worker.read.kinds import Text

HEAD = "| a | b |\n|-|-|\n"


def words_of(*pages: str, tokens: int = 2_000) -> list[str]:
    """What the boxes of all pages, each word with one, say in the chunks of their text."""
    boxes = {
        number: PageBoxes.of(1.0, spans, [BOX.pack(0, 0, 9, 9)] * len(spans))
        for number, text in enumerate(pages, 1)
        if (spans := [word.span() for word in WORD.finditer(text)])
    }
    text = Text.of(pages, boxes=boxes)
    pieces, found = chunk(text, tokens), list[str]()
    for row in box_rows(text, pieces):
        for word in PageBoxes.of_compact(row.ratio, b64decode(row.words)):
            start, end = row.char_start + word.start, row.char_start + word.end
            piece = next(one for one in pieces if one.char_start <= start < one.char_end)
            assert piece.page_from <= row.page <= piece.page_to
            found.append(piece.text[start - piece.char_start : end - piece.char_start])
    return found


def test_words_are_found_in_chunks_whatever_they_are_cut_to():
    pages = ["One two three. " * 9, "", "  four five\n\nsix", "seven"]
    for tokens in (8, 20, 2_000):
        assert words_of(*pages, tokens=tokens) == " ".join(pages).split()


def test_words_behind_headers_that_chunks_repeat_are_found_too():
    pages = ["before", HEAD + "| chair | 12.00 |\n" * 40, "| desk | 13.00 |\n" * 9, "after"]
    found = words_of(*pages, tokens=60)
    assert found == " ".join(pages).split()
    assert chunk(Text.of(pages), 60)[-1].repeated > 0


def test_a_page_without_boxes_has_no_row():
    text = Text.of(["a", "b"])
    assert list(box_rows(text, chunk(text, 10))) == []
