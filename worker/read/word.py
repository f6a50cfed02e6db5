"""Word documents: headers, the body with its tables, footers, notes and comments.

Read from the XML itself: libraries leave out headers, text boxes, notes or content controls, each
of them others.
"""

from collections.abc import Iterator

from worker.read.kinds import Bounds, Text
from worker.read.package import Element, Package, attribute, local
from worker.read.tables import markdown

# What was deleted, codes of fields, settings, and the older form of what stands beside it.
_UNSEEN = frozenset(
    ("del", "moveFrom", "instrText", "delText", "delInstrText", "Fallback", "rPr", "pPr", "sectPr")
)
_SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_MARKS = {"footnoteReference": "^", "endnoteReference": "^e"}
_NOTES = {"footnotes": "^", "endnotes": "^e"}
_OFF = ("0", "false", "off")


def read(data: bytes, name: str, _: Bounds) -> Text:
    """Read a document as one page: it has none until it is printed. Raises ReadError."""
    package = Package(data, name)
    main = package.main("word/document.xml")
    parts = list(package.related(main).values())

    def trees(kind: str) -> Iterator[Element]:
        return (package.xml(part) for found, part in parts if found == kind)

    # Headers of first, odd and even pages mostly say the same.
    heads = dict.fromkeys(block for tree in trees("header") for block in _blocks(tree))
    feet = dict.fromkeys(block for tree in trees("footer") for block in _blocks(tree))
    body = _blocks(package.xml(main))
    notes = (note for kind in _NOTES for tree in trees(kind) for note in _notes(tree, _NOTES[kind]))
    comments = (_comment(one) for tree in trees("comments") for one in tree)
    return Text.of(["\n\n".join([*heads, *body, *feet, *notes, *comments])])


def _blocks(element: Element) -> Iterator[str]:
    """Paragraphs and tables in their order; a text box follows the paragraph that it hangs on."""
    for child in element:
        name = local(child)
        if name == "p":
            yield from _paragraph(child)
        elif name == "tbl":
            if table := markdown(_rows(child)):
                yield table
        elif name not in _UNSEEN:
            yield from _blocks(child)


def _paragraph(paragraph: Element) -> Iterator[str]:
    boxes = list[Element]()
    if text := "".join(_inline(paragraph, boxes)).strip():
        yield text
    for box in boxes:
        yield from _blocks(box)


def _inline(element: Element, boxes: list[Element]) -> Iterator[str]:
    for child in element:
        name = local(child)
        if name == "t":
            yield child.text or ""
        elif name in _SIGNS:
            yield _SIGNS[name]
        elif name in _MARKS:
            yield f"[{_MARKS[name]}{attribute(child, 'id')}]"
        elif name == "txbxContent":
            boxes.append(child)
        elif name not in _UNSEEN and not _is_hidden(child):
            yield from _inline(child, boxes)


def _is_hidden(run: Element) -> bool:
    """Whether a run is formatted as hidden text."""
    for settings in run:
        if local(settings) == "rPr":
            return any(
                local(one) == "vanish" and attribute(one, "val") not in _OFF for one in settings
            )
    return False


def _rows(table: Element) -> Iterator[list[str]]:
    for row in _inside(table, "tr"):
        yield [text for cell in _inside(row, "tc") for text in _columns(cell)]


def _inside(element: Element, wanted: str) -> Iterator[Element]:
    """Rows or cells, also those in a content control or an insertion."""
    for child in element:
        name = local(child)
        if name == wanted:
            yield child
        elif name not in _UNSEEN:
            yield from _inside(child, wanted)


def _columns(cell: Element) -> list[str]:
    """A cell's text, and an empty one for each further column that it spans."""
    spans = (attribute(one, "val") for one in cell.iter() if local(one) == "gridSpan")
    span = next((int(span) for span in spans if span.isdecimal()), 1)
    return [" ".join(_blocks(cell))] + [""] * min(span - 1, 100)


def _notes(tree: Element, mark: str) -> Iterator[str]:
    """Notes by their marks in the text; those with a type are the lines above notes."""
    for note in tree:
        if not attribute(note, "type"):
            yield f"[{mark}{attribute(note, 'id')}]: " + "\n".join(_blocks(note))


def _comment(comment: Element) -> str:
    return f"Comment by {attribute(comment, 'author')}: " + "\n".join(_blocks(comment))
