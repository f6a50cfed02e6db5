"""OpenDocument texts and slides: headers, paragraphs, tables, notes and comments."""

from collections.abc import Iterator

from worker.read.kinds import Bounds, Text, needs_password, too_many_pages
from worker.read.package import Element, Package, attribute, local
from worker.read.tables import markdown

_PARAGRAPHS = frozenset(("p", "h"))
_BEFORE = frozenset(("header", "header-first", "header-left"))
_AFTER = frozenset(("footer", "footer-first", "footer-left"))
# What was deleted, and what stands for something else.
_UNSEEN = frozenset(
    ("tracked-changes", "note-citation", "creator", "date", "sequence-decls", "forms", "settings")
)
_MOST_REPEATED = 100


def read(data: bytes, name: str, bounds: Bounds) -> Text:
    """Read a text as one page, slides as one each. Raises ReadError."""
    package = Package(data, name)
    if b"encryption-data" in package.read("META-INF/manifest.xml"):
        raise needs_password(name)
    content = package.xml("content.xml")
    body = next((one for one in content.iter() if local(one) == "body"), content)
    slides = [one for one in body.iter() if local(one) == "page"]
    if len(slides) > bounds.pages:
        raise too_many_pages(name, len(slides), bounds.pages)
    if slides:
        return Text.of("\n\n".join(_blocks(slide)) for slide in slides)
    styles = package.xml("styles.xml") if "styles.xml" in package.parts else None
    blocks = [*_margins(styles, _BEFORE), *_blocks(body), *_margins(styles, _AFTER)]
    return Text.of(["\n\n".join(blocks)])


def _margins(styles: Element | None, wanted: frozenset[str]) -> list[str]:
    """Headers or footers, each that is said once: page styles mostly repeat them."""
    found = (one for one in styles.iter() if local(one) in wanted) if styles is not None else ()
    return list(dict.fromkeys(block for one in found for block in _blocks(one)))


def _blocks(element: Element) -> Iterator[str]:
    for child in element:
        name = local(child)
        if name in _PARAGRAPHS:
            yield from _paragraph(child)
        elif name == "table":
            if table := markdown(_rows(child)):
                yield table
        elif name == "notes":
            if said := list(_blocks(child)):
                yield from ("Notes:", *said)
        elif name not in _UNSEEN:
            yield from _blocks(child)


def _paragraph(paragraph: Element) -> Iterator[str]:
    """A paragraph, then the notes, comments and text boxes that hang on it."""
    aside = list[Element]()
    if text := "".join(_inline(paragraph, aside)).strip():
        yield text
    for one in aside:
        yield from _blocks(one)


def _inline(element: Element, aside: list[Element]) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        name = local(child)
        if name == "s":
            count = attribute(child, "c")
            yield " " * min(int(count) if count.isdecimal() else 1, _MOST_REPEATED)
        elif name in ("tab", "line-break"):
            yield "\t" if name == "tab" else "\n"
        elif name in ("note", "annotation", "frame", "custom-shape", "text-box"):
            aside.append(child)
        elif name not in _UNSEEN:
            yield from _inline(child, aside)
        yield child.tail or ""


def _rows(table: Element) -> Iterator[list[str]]:
    for child in table:
        name = local(child)
        if name == "table-row":
            yield [text for cell in child for text in _columns(cell)]
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(child)


def _columns(cell: Element) -> list[str]:
    """A cell's text, as often as it is repeated; covered cells are empty."""
    repeated = attribute(cell, "number-columns-repeated")
    times = min(int(repeated) if repeated.isdecimal() else 1, _MOST_REPEATED)
    return [" ".join(_blocks(cell))] * times
