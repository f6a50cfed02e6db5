"""Where words stand, as rows: by their characters in the text that chunks hold. Pure."""

from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from models.boxes import PageBoxes
from worker.ingest.chunk import Piece
from worker.read.kinds import Page, Text


@dataclass(frozen=True, slots=True)
class BoxesRow:
    """A row of page_boxes, but for its document; `words` in base64, for JSON."""

    page: int
    char_start: int
    ratio: float
    words: str


def box_rows(text: Text, pieces: Sequence[Piece]) -> Iterator[BoxesRow]:
    """The pages whose words have boxes. The headers of tables that chunks repeat stand before
    their words."""
    ends = [piece.char_end - piece.repeated for piece in pieces]

    def repeated(at: int) -> int:
        return pieces[min(bisect_right(ends, at), len(pieces) - 1)].repeated

    for page, start in zip(text.pages, text.starts, strict=True):
        if page.boxes is not None:
            yield _row(page, page.boxes, start, repeated)


def _row(page: Page, boxes: PageBoxes, start: int, repeated: Callable[[int], int]) -> BoxesRow:
    before = repeated(start)
    if repeated(start + len(page.text)) > before:
        boxes = boxes.shifted(lambda at: repeated(start + at) - before)
    words = b64encode(boxes.compact()).decode()
    return BoxesRow(page.number, start + before, boxes.ratio, words)
