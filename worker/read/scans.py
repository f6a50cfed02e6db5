"""Documents with scans: what is only to be seen on their pages is read by OCR, or by a model.

Each page is a piece of work of its own, with limits of its own. OCR runs in other child processes
than those that read documents, for it takes more memory than a document may. A page that is too
much for whoever reads it is missing from the text; the others are read.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol, Self

from models.archives import MEBIBYTE
from models.config import Config, LimitsConfig
from models.errors import ReadError
from models.reading import ReadingConfig
from worker.read.kinds import (
    PAGE_BREAK,
    NeedsOcr,
    NotNow,
    Page,
    Scan,
    Text,
    bounded,
    gaps,
    ranges,
    read_document,
)
from worker.read.ocr import GET, Ocr, chosen, here, read_scan
from worker.read.sandbox import Limits, Reader

MOST_NOTES = 20
_OFF = 'OCR is off (`[reading] ocr = "off"` in docmill.toml)'
_NONE = f"there was no OCR where it was read ({GET[Ocr.RAPIDOCR]})"


PageFunction = Callable[..., Text]
"""Takes data, media type, name and the page's `number` from 1, as `ocr.read_scan` does."""


class PageReader(Protocol):
    """Reads single pages. Has to be closed."""

    @property
    def by(self) -> str:
        """Who that is, as notes tell it."""
        ...

    @property
    def at_once(self) -> int:
        """How many pages it reads at the same time."""
        ...

    async def page(self, scan: Scan, name: str, document: int | None) -> Text | ReadError:
        """A page's text, or why there is none; NotNow: there may be one later. `document` is its
        number in Postgres; None: it is in no batch."""
        ...

    def close(self) -> None:
        """End its processes."""
        ...


class OcrPages:
    """Pages by an OCR of this host, as many at once as `reader` has processes."""

    def __init__(self, ocr: Ocr, reader: Reader, children: int, read: PageFunction) -> None:
        self.by, self.at_once = str(ocr), children
        self._reader, self._read = reader, read

    async def page(self, scan: Scan, name: str, document: int | None) -> Text | ReadError:
        """A page's text, or why there is none."""
        read = partial(self._read, number=scan.number)
        try:
            return await self._reader.read(scan.data, scan.media_type, name, read)
        except ReadError as error:
            return error

    def close(self) -> None:
        """End its processes."""
        self._reader.close()


class KeptPages(Protocol):
    """Where pages that OCR has read wait for the others of their document: what was read before a
    worker went away is not read again."""

    @property
    def document(self) -> int:
        """Whose pages they are."""
        ...

    async def known(self) -> Mapping[int, Text]:
        """Those that are there, by their number."""

    async def keep(self, page: int, text: Text) -> None:
        """Put one there."""


class DocumentReader:
    """Reads documents, one in each of its child processes, and their scans where there is an OCR.

    Belongs to one event loop. Has to be closed: call `close`, or use it in a `with` block.
    """

    def __init__(
        self, reader: Reader, pages: PageReader | None, no_ocr: str, limits: LimitsConfig
    ) -> None:
        self._reader, self._pages, self._no_ocr, self._limits = reader, pages, no_ocr, limits

    async def read(
        self, data: bytes, media_type: str, name: str, kept: KeptPages | None = None
    ) -> Text:
        """Read one document, waiting for a free child first. `name` is for messages only; `kept`
        has what is known of its scans, and is given what becomes known.

        Raises ReadError: what `Reader.read` raises, and `needs_ocr` where no page was read because
        there is no OCR, or because it made nothing of any; NotNow where it is to be read later.
        """
        try:
            text, unread = await self._reader.read(data, media_type, name), None
        except NeedsOcr as error:
            text, unread = error.text, error
        if self._pages is not None:
            seen = await self._seen(text, name, self._pages, kept)
            text = with_scans(text, seen, self._pages.by)
            text = bounded(text, name, self._limits.pages, self._limits.characters)
        if unread is not None and text.gaps and not text.whole.strip():
            why = "; ".join(text.notes[len(unread.text.notes) :]) or self._no_ocr
            raise NeedsOcr(f"{unread}; {why}", text)
        return text

    async def _seen(
        self, text: Text, name: str, by: PageReader, kept: KeptPages | None
    ) -> dict[int, Text | ReadError]:
        """What becomes of each scan; no more at once than whoever reads them reads, so that
        documents take turns. Raises NotNow once the others are read."""
        turns = asyncio.Semaphore(by.at_once)
        document = kept.document if kept else None
        known = await kept.known() if kept and text.scans else {}

        async def page(scan: Scan) -> Text | ReadError:
            if scan.page in known:
                return known[scan.page]
            async with turns:
                seen = await by.page(scan, name, document)
            if kept and isinstance(seen, Text):
                await kept.keep(scan.page, seen)
            return seen

        async with asyncio.TaskGroup() as group:
            pages = {scan.page: group.create_task(page(scan)) for scan in text.scans}
        seen = {number: task.result() for number, task in pages.items()}
        for one in seen.values():
            if isinstance(one, NotNow):
                raise one
        return seen

    def close(self) -> None:
        """Cancel the reads under way and end all children; takes some tenths of a second."""
        self._reader.close()
        if self._pages is not None:
            self._pages.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def with_scans(text: Text, seen: Mapping[int, Text | ReadError], by: str) -> Text:
    """A text with the pages that OCR has read, and notes of what it could not. Pure.

    `seen` has its outcome by page, `by` says who it was. What stood on a page stays in front of it.
    """
    read = {number: one for number, one in seen.items() if isinstance(one, Text) and not one.gaps}
    pages = [_with(page, read[page.number]) if page.number in read else page for page in text.pages]
    missing = {n: gap.why for gap in text.gaps for n in gap.numbers if n not in read}
    notes = [f"pages {ranges(sorted(read))}: read by OCR ({by})"] if read else []
    notes += [f"page {n}: {note}" for n, one in sorted(read.items()) for note in one.notes]
    unsure = [n for n, one in sorted(seen.items()) if isinstance(one, Text) and one.gaps]
    notes += [f"pages {ranges(unsure)}: OCR ({by}) could not make out most of it"] if unsure else []
    notes += [f"page {n}: {one}" for n, one in sorted(seen.items()) if isinstance(one, ReadError)]
    return Text(tuple(pages), (*text.notes, *notes[:MOST_NOTES]), gaps(missing))


def _with(page: Page, seen: Text) -> Page:
    words = PAGE_BREAK.join(filter(None, (page.text, seen.whole)))
    boxes = seen.pages[0].boxes
    if boxes:
        boxes = boxes.moved(len(words) - len(seen.whole))
        boxes = page.boxes + boxes if page.boxes else boxes
    return replace(page, text=words, scanned=True, boxes=boxes or page.boxes)


def make_reader(config: Config, children: int, model: PageReader | None = None) -> DocumentReader:
    """So many readers at once, with the limits of docmill.toml. Scans are read by the OCR that this
    host has, or by the `model` where docmill.toml names one; without it they are not read.

    Raises ConfigError where docmill.toml names an OCR that this host does not have.
    """
    limits, shown = config.limits, config.reading.seen_by is not None
    read = partial(read_document, max_pages=limits.pages, max_characters=limits.characters)
    return DocumentReader(
        Reader(children, _limits(limits.read_seconds, limits.read_memory_mb), read),
        model if shown else ocr_pages(config, children),
        _no_ocr(config.reading),
        limits,
    )


def _no_ocr(reading: ReadingConfig) -> str:
    """Why nobody read a scan where nobody was there to."""
    if reading.seen_by is not None:
        return f"{reading.ocr} is shown its pages once it is submitted"
    return _OFF if reading.ocr == "off" else _NONE


def ocr_pages(config: Config, children: int) -> OcrPages | None:
    """The OCR that this host has, or that docmill.toml names; None: there is none.

    Raises ConfigError where docmill.toml names one that this host does not have.
    """
    limits, ocr = config.limits, chosen(config.reading, here())
    if ocr is None:
        return None
    read = partial(
        read_scan,
        ocr=ocr,
        languages=config.reading.languages,
        megapixels=limits.ocr_megapixels,
    )
    return OcrPages(ocr, page_processes(config, children), children, read)


def page_processes(config: Config, children: int) -> Reader:
    """Child processes that may take as much as a page of a scan takes."""
    limits = config.limits
    return Reader(children, _limits(limits.ocr_seconds, limits.ocr_memory_mb))


def _limits(seconds: int, memory_mb: int) -> Limits:
    return Limits(wall_s=seconds, cpu_s=seconds, memory_bytes=memory_mb * MEBIBYTE)
