"""Documents in: bytes become the text that chunks, spans and page numbers point into."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from types import MappingProxyType

from models.boxes import MOST_OF_DOCUMENT, PageBoxes
from models.errors import ReadError

PAGE_BREAK = "\n\n"
"""Stands between two pages in the whole text: a blank line is a paragraph border to the chunker
and to a language model, where a form feed is noise to both."""

MAX_PAGES = 5_000
MAX_CHARACTERS = 20_000_000

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Page:
    """One page of a document. `number` starts at 1; a page without text has the text "". `scanned`:
    its text, or a part of it, is what OCR made of a picture. `boxes`: where its words stand, as far
    as its reader knows."""

    number: int
    text: str
    scanned: bool = False
    boxes: PageBoxes | None = None


class Why(StrEnum):
    """Why a page is missing from a document's text."""

    NEEDS_OCR = "needs_ocr"  # pictures, or letters that its fonts do not name
    UNREADABLE = "unreadable"  # damaged


@dataclass(frozen=True)
class Gap:
    """Pages that are missing from a document's text, such as 3-5, 9."""

    why: Why
    pages: str

    @property
    def numbers(self) -> list[int]:
        """The pages one by one."""
        runs = [run.partition("-") for run in self.pages.split(", ")]
        return [n for a, _, b in runs for n in range(int(a), int(b or a) + 1)]


def gaps(missing: Mapping[int, Why]) -> tuple[Gap, ...]:
    """What is missing, by its reason; of each page number, from 1, why."""
    return tuple(
        Gap(why, ranges(number for number, reason in sorted(missing.items()) if reason is why))
        for why in Why
        if why in missing.values()
    )


def ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers as people write pages: 3-5, 9."""
    runs = list[list[int]]()
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


@dataclass(frozen=True, slots=True)
class Scan:
    """Where to see a page that OCR could read: page `number`, from 1, of a PDF or an image, which
    is `page` of the document."""

    page: int
    data: bytes
    media_type: str
    number: int


@dataclass(frozen=True)
class Text:
    """A document's text, page by page; `notes` says what its reader had to mend or leave out,
    `gaps` which pages are not in it, and `scans` which of those can be shown to OCR."""

    pages: tuple[Page, ...]
    notes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    scans: tuple[Scan, ...] = ()

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        notes: Iterable[str] = (),
        gaps: Iterable[Gap] = (),
        scans: Iterable[Scan] = (),
        boxes: Mapping[int, PageBoxes] = MappingProxyType({}),
    ) -> "Text":
        """Number the page texts from 1 and clean each (see `clean`). `boxes`: by the page's number,
        of a text that is clean already."""
        pages = (
            Page(number, clean(text), boxes=boxes.get(number))
            for number, text in enumerate(texts, 1)
        )
        return cls(tuple(pages), tuple(notes), tuple(gaps), tuple(scans))

    @cached_property
    def whole(self) -> str:
        """All pages joined by `PAGE_BREAK`: what every character offset counts in."""
        return PAGE_BREAK.join(page.text for page in self.pages)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where in `whole` each page begins, in characters."""
        lengths = (len(page.text) + len(PAGE_BREAK) for page in self.pages)
        return tuple(accumulate(lengths, initial=0))[:-1]

    def pages_of(self, char_start: int, char_end: int) -> tuple[int, int]:
        """First and last page number of `whole[char_start:char_end]`.

        A page break belongs to the page before it. An empty range is on the page it stands on.
        """
        last = max(char_start, char_end - 1)
        return self._page_at(char_start), self._page_at(last)

    def _page_at(self, offset: int) -> int:
        return self.pages[bisect_right(self.starts, offset) - 1].number


def clean(text: str) -> str:
    r"""Make a text storable and leave it otherwise as it stands.

    NULs go, because Postgres text cannot hold them; halves of surrogate pairs are joined or
    replaced, because UTF-8 cannot; every line end becomes "\n". Nothing is Unicode-normalised:
    NFC would change quoted words (it splits Bengali and Devanagari nukta letters), and an answer
    is grounded by finding its words in this text.
    """
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may still be read of a document: pages, characters, and how deep in its attachments."""

    pages: int = MAX_PAGES
    characters: int = MAX_CHARACTERS
    depth: int = 0


Read = Callable[[bytes, str, Bounds], Text]
"""A reader: takes the bytes, a name for messages and the bounds. Raises ReadError."""


class NeedsOcr(ReadError):
    """No page of a document has text, and pictures of text are to be seen: those that its `text`
    lists as scans."""

    def __init__(self, message: str, text: Text) -> None:
        super().__init__(Why.NEEDS_OCR, message)
        self.text = text


class NotNow(ReadError):
    """Whoever is to read a page cannot at present: the document waits and is read later. Category
    `engine_away`, or `engine_died` where this page may be why."""


def scanned_page(
    text: str | None, notes: Iterable[str] = (), boxes: PageBoxes | None = None
) -> Text:
    """A page as OCR has it; None: it was not sure of most that it saw."""
    if text is None:
        return Text.of([""], notes, gaps({1: Why.NEEDS_OCR}))
    return Text.of([text], notes, boxes={1: boxes} if boxes else {})


def unsupported(name: str) -> ReadError:
    """Build the error for a file of a kind that no reader reads."""
    message = f"{name} is of a kind that is not read (`docmill formats` lists those that are)"
    return ReadError("unsupported", message)


def damaged(name: str, error: Exception | str) -> ReadError:
    """Build the error for a file that is not what its kind promises."""
    said = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else error
    return ReadError("damaged", f"{name} is damaged ({said[:200]}): export it again")


def needs_password(name: str) -> ReadError:
    """Build the error for a locked file."""
    return ReadError("needs_password", f"{name} needs a password: save a copy without one")


def read_document(
    data: bytes,
    media_type: str,
    name: str,
    *,
    max_pages: int = MAX_PAGES,
    max_characters: int = MAX_CHARACTERS,
    depth: int = 0,
) -> Text:
    """Read one document in this process, with no guard against hostile files (see `sandbox`).

    `name` is for messages only, `depth` that of an attachment. Raises ReadError with the category
    that fits, and NeedsOcr where there are only pictures.
    """
    # Imported here: the parent process of the sandbox needs the values above, not the parsers.
    from worker.read.readers import READERS

    reader = READERS.get(media_type)
    if reader is None:
        raise unsupported(name)
    try:
        text = reader.read(data, name, Bounds(max_pages, max_characters, depth))
    except RecursionError as error:
        raise damaged(name, "it is nested too deeply") from error
    return bounded(text, name, max_pages, max_characters)


def bounded(text: Text, name: str, max_pages: int, max_characters: int) -> Text:
    """The text itself, with boxes of as many words as are kept. Raises ReadError where it has more
    pages or characters than that."""
    if len(text.pages) > max_pages:
        raise too_many_pages(name, len(text.pages), max_pages)
    if len(text.whole) > max_characters:
        raise too_much_text(name, max_characters)
    words = accumulate(len(page.boxes or ()) for page in text.pages)
    over = {number for number, so_far in enumerate(words) if so_far > MOST_OF_DOCUMENT}
    if not over:
        return text
    pages = (
        replace(page, boxes=None) if number in over else page
        for number, page in enumerate(text.pages)
    )
    return replace(text, pages=tuple(pages))


def too_many_pages(name: str, pages: int, limit: int) -> ReadError:
    """Build the error for a document over the page limit."""
    message = f"{name} has {pages:,} pages; the limit is {limit:,}: split the document"
    return ReadError("too_many_pages", message)


def too_much_text(name: str, limit: int) -> ReadError:
    """Build the error for a document over the character limit."""
    message = f"{name} has more than {limit:,} characters of text: split the document"
    return ReadError("too_much_text", message)
