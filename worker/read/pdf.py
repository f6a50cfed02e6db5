"""PDF: every page by pdfium, the doubtful ones by pypdf too, and what could not be read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from models.boxes import PageBoxes
from models.errors import ReadError
from models.kinds import PDF
from worker.read import pdfium, second
from worker.read.boxes import placed
from worker.read.kinds import (
    MAX_CHARACTERS,
    MAX_PAGES,
    NeedsOcr,
    Scan,
    Text,
    Why,
    clean,
    gaps,
    too_many_pages,
    too_much_text,
)
from worker.read.reading import (
    DOUBT,
    FEW_LETTERS,
    MOST_LOST,
    STAMP,
    Damaged,
    Locked,
    Reading,
    Sheet,
    StrangeLock,
    better,
    contradicts,
    is_before_unicode,
)

MOST_NOTES = 20
MOST_NAMED = 10

MOST_IN_VAIN = 5
"""How many more pages the second opinion may be no better on than better: then it is asked no more,
for it is slow."""

COVERED = 0.5
"""A page with hardly a letter of which pictures cover this share is a scan with a stamp, whether
that is text, a text box or a field."""

WHOLE = 0.8
"""One with a line or two of small print has to be covered so far: half of it is an illustration."""


class Opened(Protocol):
    """A file that some reader has opened."""

    def __len__(self) -> int: ...

    def sheet(self, number: int, max_characters: int) -> Sheet | None:
        """Page `number`, from 0; None where it has more characters than that. Raises Damaged."""


def read(
    data: bytes,
    name: str,
    *,
    max_pages: int = MAX_PAGES,
    max_characters: int = MAX_CHARACTERS,
) -> Text:
    """Read the text of every page; `gaps` of the text says which pages are missing from it.

    A file that asks for a password is tried with the empty one. Raises NeedsOcr, and ReadError
    `needs_password`, `unsupported`, `damaged`, `too_many_pages` or `too_much_text`.
    """
    reader = _Reader(data, name, max_pages, max_characters)
    try:
        return reader.by_pdfium()
    except Locked as error:
        raise ReadError("needs_password", f"{name} needs a password") from error
    except StrangeLock as error:
        message = f"{name} is encrypted in a way that cannot be read: save a copy without it"
        raise ReadError("unsupported", message) from error


@dataclass(slots=True)
class _Reader:
    """One file on its way to text."""

    data: bytes
    name: str
    max_pages: int
    max_characters: int
    notes: list[str] = field(default_factory=list)
    missing: dict[int, Why] = field(default_factory=dict)
    boxes: dict[int, PageBoxes] = field(default_factory=dict)
    lost: int = 0
    comments: int = 0

    def by_pdfium(self) -> Text:
        """Raises Locked or StrangeLock, and ReadError."""
        try:
            opened = pdfium.Document(self.data)
        except Damaged as error:
            return self._by_pypdf(error)
        with opened as document:
            if document.is_dynamic_form:
                raise ReadError(
                    "unsupported",
                    f"{self.name} is a dynamic XFA form, whose pages only Adobe's programs make: "
                    "open it there and print it into a PDF",
                )
            self._name_attachments(document)
            return self._text(document, _Second(self.data, document.language))

    def _by_pypdf(self, first: Damaged) -> Text:
        """A file that pdfium does not open."""
        try:
            document = second.Document(self.data)
        except Damaged:
            raise self._damaged(str(first)) from first
        self.notes.append(f"it is damaged ({first}) and was read as far as it goes")
        return self._text(document, None)

    def _text(self, document: Opened, opinion: "_Second | None") -> Text:
        if len(document) > self.max_pages:
            raise too_many_pages(self.name, len(document), self.max_pages)
        texts = list(self._texts(document, opinion))
        read = [
            number
            for number, text in enumerate(texts, 1)
            if text.strip() and number not in self.missing
        ]
        # What pdfium does not open it does not draw either.
        scans = self._scans() if opinion else ()
        if not read and self.missing:
            raise self._nothing(self._whole(texts, scans))
        if self.lost:
            self.notes.append(f"{self.lost} characters without a letter in their fonts left out")
        if self.comments:
            self.notes.append(f"{self.comments} comments beside the text are not read")
        return self._whole(texts, scans)

    def _whole(self, texts: Iterable[str], scans: Iterable[Scan]) -> Text:
        return Text.of(texts, self.notes[:MOST_NOTES], gaps(self.missing), scans, self.boxes)

    def _scans(self) -> list[Scan]:
        return [
            Scan(number, self.data, PDF, number)
            for number, why in self.missing.items()
            if why is Why.NEEDS_OCR
        ]

    def _texts(self, document: Opened, opinion: "_Second | None") -> Iterator[str]:
        left = self.max_characters
        for number in range(len(document)):
            text = self._page(document, number, opinion, left)
            left -= len(text)
            if left < 0:
                raise too_much_text(self.name, self.max_characters)
            yield text

    def _page(self, document: Opened, number: int, opinion: "_Second | None", left: int) -> str:
        """A page's text; "" where there is none, and in `missing` why that is."""
        try:
            sheet = _sheet(document, number, opinion, left)
        except Damaged as error:
            self.missing[number + 1] = Why.UNREADABLE
            self.notes.append(f"page {number + 1} could not be read: {error}")
            return ""
        if sheet is None:
            raise too_much_text(self.name, self.max_characters)
        found = sheet.reading
        if needs_ocr(sheet):
            self.missing[number + 1] = Why.NEEDS_OCR
        if found.share_lost > MOST_LOST or is_before_unicode(sheet):
            found = Reading("")
        self.lost += found.lost
        self.comments += sheet.comments
        text = clean("\n\n".join(filter(None, (found.text, "\n".join(sheet.filled)))))
        if boxes := placed(text, found.boxes):
            self.boxes[number + 1] = boxes
        return text

    def _nothing(self, text: Text) -> ReadError:
        """Why a file of which no page was read is not read."""
        scans = sum(why is Why.NEEDS_OCR for why in self.missing.values())
        if not scans:
            return self._damaged(self.notes[-1])
        pages = len(text.pages)
        which = f"{scans} of its {pages} pages show" if pages > 1 else "its page shows"
        return NeedsOcr(
            f"{self.name}: {which} pictures, or letters that its fonts do not name", text
        )

    def _damaged(self, why: str) -> ReadError:
        return ReadError("damaged", f"{self.name} is a damaged PDF ({why}): export it again")

    def _name_attachments(self, document: pdfium.Document) -> None:
        count, names = document.attachments(MOST_NAMED)
        if count:
            more = f" and {count - len(names)} more" if count > len(names) else ""
            listed = ", ".join(filter(None, names))
            self.notes.append(f"{count} attached files are not read: {listed}{more}")


def needs_ocr(sheet: Sheet) -> bool:
    """Whether there is more on a page than its text, and only OCR can read it."""
    found = sheet.reading
    if found.share_lost > MOST_LOST or is_before_unicode(sheet):
        return True
    few = found.letters <= FEW_LETTERS
    if sheet.picture >= (COVERED if few else WHOLE) and (few or sheet.written < STAMP):
        return True
    return few and not sheet.filled and sheet.drawn and not found.mostly_letters


def _sheet(document: Opened, number: int, opinion: "_Second | None", left: int) -> Sheet | None:
    """Page `number`, from 0, by whoever reads it better. Raises Damaged."""
    if opinion is None:
        return document.sheet(number, left)
    try:
        first = document.sheet(number, left)
    except Damaged as error:
        if (other := opinion.sheet(number, left)) is None:
            raise error
        return other
    return first and opinion.settled(first, number, left)


class _Second:
    """pypdf on the same file, opened when it is first asked."""

    def __init__(self, data: bytes, language: str | None) -> None:
        self._data = data
        self._language = language
        self._document: second.Document | None = None
        self._opens = True
        self._in_vain = 0

    def settled(self, first: Sheet, number: int, left: int) -> Sheet:
        """The better of two readings of page `number`, where the first one is doubtful. A page that
        seems to be empty is one that pdfium cannot read where pypdf says so: raises Damaged."""
        found = first.reading
        if not (found.letters or first.drawn or first.filled):
            other = self.sheet(number, left)
            return first.read_as(other.reading) if other else first
        doubtful = found.doubt > DOUBT or contradicts(found, self._language)
        if not doubtful or self._in_vain > MOST_IN_VAIN:
            return first
        try:
            other = self.sheet(number, left)
        except Damaged:
            other = None
        if other is not None and better(other.reading, found, self._language):
            self._in_vain -= 1
            return first.read_as(other.reading)
        self._in_vain += 1
        return first

    def sheet(self, number: int, left: int) -> Sheet | None:
        """Page `number` by pypdf; None where it has none. Raises Damaged."""
        if self._opens and self._document is None:
            try:
                self._document = second.Document(self._data)
            except (Damaged, Locked, StrangeLock):
                self._opens = False
        if self._document is None or number >= len(self._document):
            return None
        return self._document.sheet(number, left)
