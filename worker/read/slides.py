"""PowerPoint: a page a slide, with its tables and the speaker's notes."""

from collections.abc import Iterator

from worker.read.kinds import Bounds, Text, damaged, too_many_pages
from worker.read.package import Element, Package, attribute, local
from worker.read.tables import markdown

# Numbers of slides, dates and the like, which the master puts on every slide.
_FURNITURE = frozenset(("sldNum", "dt", "hdr", "sldImg"))


def read(data: bytes, name: str, bounds: Bounds) -> Text:
    """Read the slides in the order in which they are shown; one that is not there is missing.

    Raises ReadError.
    """
    package = Package(data, name)
    main = package.main("ppt/presentation.xml")
    related = package.related(main)
    order = [attribute(one, "id") for one in _slide_ids(package.xml(main))]
    slides = [related[rel][1] if rel in related else rel for rel in order]
    if len(slides) > bounds.pages:
        raise too_many_pages(name, len(slides), bounds.pages)
    if slides and package.parts.isdisjoint(slides):
        raise damaged(name, "it has none of the slides that it lists")
    return package.pages(slides, "slide", lambda part: _slide(package, part))


def _slide_ids(presentation: Element) -> Iterator[Element]:
    """References to slides. Their own number is called `id` too, so it goes."""
    for listed in presentation.iter():
        if local(listed) == "sldId":
            listed.attrib.pop("id", None)
            yield listed


def _slide(package: Package, part: str) -> str:
    blocks = list(_blocks(package.xml(part)))
    beside = package.related(part).values()
    for kind, label in (("notesSlide", "Notes"), ("comments", "Comments"), ("diagramData", "")):
        said = [b for found, p in beside if found == kind for b in _blocks(package.xml(p))]
        blocks += [f"{label}:", *said] if said and label else said
    return "\n\n".join(blocks)


def _blocks(element: Element) -> Iterator[str]:
    """Paragraphs and tables, shape by shape; the paragraphs of a shape are lines."""
    for child in element:
        name = local(child)
        if name in ("txBody", "t") and len(child):
            if text := "\n".join(filter(None, map(_line, child))).strip():
                yield text
        elif name == "text" and child.text:  # a comment
            yield child.text
        elif name == "tbl":
            if table := markdown(_rows(child)):
                yield table
        elif name != "Fallback" and not (name == "sp" and _is_furniture(child)):
            yield from _blocks(child)


def _is_furniture(shape: Element) -> bool:
    holders = (one for one in shape.iter() if local(one) == "ph")
    return any(attribute(holder, "type") in _FURNITURE for holder in holders)


def _line(paragraph: Element) -> str:
    signs = {"br": "\n", "tab": "\t"}
    return "".join(
        one.text or "" if local(one) == "t" else signs.get(local(one), "")
        for one in paragraph.iter()
    )


def _rows(table: Element) -> Iterator[list[str]]:
    for row in table:
        if local(row) == "tr":
            yield [" ".join(_blocks(cell)) for cell in row if local(cell) == "tc"]
