"""Files that belong to a document: read as further pages of it, each under its name.

They are not documents of their own: an answer about a mail needs what came with it, and pages keep
the mail's name, pins and place in the batch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO

from models.archives import MEBIBYTE, MOST_DEPTH, Budget, Member, members
from models.boxes import PageBoxes
from models.errors import ReadError
from models.kinds import HOLDING, JSON, JSONL, kind_of
from worker.read.kinds import (
    PAGE_BREAK,
    Bounds,
    NeedsOcr,
    Scan,
    Text,
    Why,
    clean,
    gaps,
    read_document,
    unsupported,
)

_MOST_FILES = 1_000
_MOST_MEMBER = 100 * MEBIBYTE
_MOST_BYTES = 500 * MEBIBYTE
_MOST_SCANNED = 100 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class File:
    """An attached file. `media_type` is what the document says of it, if it is to be believed."""

    name: str
    data: bytes
    media_type: str | None = None


class Attached:
    """Reads files into pages, until the bounds are met."""

    def __init__(self, pages: Iterable[str], notes: Iterable[str], bounds: Bounds) -> None:
        self._pages, self._notes, self._bounds = list(pages), list(notes), bounds
        self._missing, self._scans = dict[int, Why](), list[Scan]()
        self._boxes = dict[int, PageBoxes]()
        self._to_scan = _MOST_SCANNED
        self._budget = Budget(_MOST_MEMBER, _MOST_FILES, _MOST_BYTES)

    def add(self, files: Iterable[File]) -> None:
        """Read each file; what cannot be read is noted, and missing where it could have been."""
        for file in files:
            self._add(file, self._bounds.depth + 1)

    def text(self) -> Text:
        """All pages, those of the document first."""
        missing = gaps(self._missing)
        return Text.of(self._pages, self._notes, missing, self._scans, self._boxes)

    def _add(self, file: File, depth: int) -> None:
        kind = file.media_type or kind_of(file.name, BytesIO(file.data))
        kind = JSON if kind == JSONL else kind
        if not file.data.strip():
            self._notes.append(f"attachment not read: {file.name} is empty")
        elif depth > MOST_DEPTH:
            self._lost(file.name, f"{file.name} is nested too deeply")
        elif kind in HOLDING:
            for inner in self._inside(file, kind):
                self._add(inner, depth + 1)
        else:
            self._read(file, kind, depth)

    def _inside(self, file: File, kind: str) -> Iterator[File]:
        for member in members(BytesIO(file.data), kind, file.name, self._budget):
            name = f"{file.name}/{member.name}".rstrip("/")
            if isinstance(member, Member):
                yield File(name, member.data)
            elif member.category == "not_entered":
                self._notes.append(f"attachment not read: {name} {member.why}")
            else:
                self._lost(name, f"{name} {member.why}")

    def _read(self, file: File, kind: str | None, depth: int) -> None:
        pages = self._bounds.pages - len(self._pages)
        characters = self._bounds.characters - sum(map(len, self._pages))
        try:
            if kind is None:
                raise unsupported(file.name)
            text = read_document(
                file.data, kind, file.name, max_pages=pages, max_characters=characters, depth=depth
            )
        except NeedsOcr as error:
            text = error.text
            self._notes.append(f"attachment not read: {error}")
        except ReadError as error:
            if error.category == "unsupported":
                self._notes.append(f"attachment not read: {error}")
            else:
                self._lost(file.name, str(error))
            return
        before = len(self._pages)
        self._missing |= {before + n: gap.why for gap in text.gaps for n in gap.numbers}
        first, *more = [page.text for page in text.pages] or [""]
        headed = clean(PAGE_BREAK.join(filter(None, (_heading(file.name), first))))
        self._pages += [headed, *more]
        for page in text.pages:
            if page.boxes:
                by = len(headed) - len(first) if page.number == 1 else 0
                self._boxes[before + page.number] = page.boxes.moved(by)
        self._notes += text.notes
        self._to_scan -= len(file.data) if text.scans else 0
        if self._to_scan >= 0:
            self._scans += (replace(scan, page=before + scan.page) for scan in text.scans)

    def _lost(self, name: str, why: str) -> None:
        """Something that could have been read: a page is missing, unless there are too many."""
        self._notes.append(f"attachment not read: {why}")
        if len(self._pages) < self._bounds.pages:
            self._pages.append(_heading(name))
            self._missing[len(self._pages)] = Why.UNREADABLE


def _heading(name: str) -> str:
    return f"Attachment: {name}"
