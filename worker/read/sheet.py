"""Spreadsheets: a page a sheet, with what stands in its cells as Markdown tables."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from itertools import groupby

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from worker.read.kinds import Bounds, Text, damaged, needs_password, too_many_pages
from worker.read.package import Element, Package, attribute, local
from worker.read.tables import markdown

# Of Excel, and all of an OpenDocument sheet.
_COMMENTS = re.compile(r"xl/(?:comments/)?comments?\d*\.xml|content\.xml")

Cell = int | float | str | bool | time | date | datetime | timedelta


def read(data: bytes, name: str, bounds: Bounds) -> Text:
    """Read values as they are kept, without the form in which they are shown. Raises ReadError."""
    package = Package(data, name) if data.startswith(b"PK") else None
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
    except PasswordError as error:
        raise needs_password(name) from error
    except (CalamineError, OSError, ValueError) as error:
        raise damaged(name, error) from error
    if len(book.sheet_names) > bounds.pages:
        raise too_many_pages(name, len(book.sheet_names), bounds.pages)
    pages = [_page(book, sheet, name) for sheet in book.sheet_names]
    return Text.of([*pages, *_comments(package)])


def _page(book: CalamineWorkbook, sheet: str, name: str) -> str:
    try:
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=True)
    except (CalamineError, OSError, ValueError) as error:
        raise damaged(name, error) from error
    texts = [[_written(cell) for cell in row] for row in rows]
    return "\n\n".join([f"# {sheet}", *_tables(texts)])


def _tables(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Empty rows part tables; the single cells above a table are its title."""
    for filled, block in groupby(rows, key=any):
        table = list(block)
        if not filled:
            continue
        titles = 0
        while titles < len(table) - 1 and sum(map(bool, table[titles])) == 1:
            titles += 1
        yield from filter(None, (markdown(table[:titles]), markdown(table[titles:])))


def _written(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return f"{cell:.15g}" if abs(cell) < 1e15 else repr(cell)  # as many digits as Excel has
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return cell.isoformat(" ") if isinstance(cell, datetime) else str(cell)


def _comments(package: Package | None) -> Iterator[str]:
    """What was written beside cells, as a page of its own: by its cell where that is known."""
    if package is None:
        return
    parts = (part for part in sorted(package.parts) if _COMMENTS.fullmatch(part))
    said = [line for part in parts for line in _said(package.xml(part))]
    if said:
        yield "\n".join(["# Comments", *said])


def _said(tree: Element) -> Iterator[str]:
    for comment in tree.iter():
        if local(comment) in ("comment", "annotation"):
            words = (one.text or "" for one in comment.iter() if local(one) in ("t", "p"))
            text = " ".join(" ".join(words).split())
            yield ": ".join(filter(None, [attribute(comment, "ref"), text]))
