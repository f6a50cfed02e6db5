"""EPUB: a page a chapter, in the order of reading."""

from urllib.parse import unquote

from worker.read import html
from worker.read.kinds import Bounds, Text, damaged, needs_password, too_many_pages
from worker.read.package import Package, attribute, local, resolved

_CONTAINER = "META-INF/container.xml"


def read(data: bytes, name: str, bounds: Bounds) -> Text:
    """Read the chapters that the book lists. Raises ReadError."""
    package = Package(data, name)
    files = (one for one in package.xml(_CONTAINER).iter() if local(one) == "rootfile")
    main = next((attribute(one, "full-path") for one in files), "")
    index = package.xml(main)
    items = {
        attribute(one, "id"): resolved(main, unquote(attribute(one, "href")))
        for one in index.iter()
        if local(one) == "item"
    }
    spine = [attribute(one, "idref") for one in index.iter() if local(one) == "itemref"]
    chapters = [items[idref] for idref in spine if items.get(idref) in package.parts]
    if "META-INF/encryption.xml" in package.parts and _locked(package, chapters):
        raise needs_password(name)
    if not chapters:
        raise damaged(name, "it lists no chapter")
    if len(chapters) > bounds.pages:
        raise too_many_pages(name, len(chapters), bounds.pages)
    return Text.of(html.read(package.read(chapter), name, bounds).whole for chapter in chapters)


def _locked(package: Package, chapters: list[str]) -> bool:
    """Whether chapters are encrypted; fonts often are, and do not matter."""
    tree = package.xml("META-INF/encryption.xml")
    locked = {attribute(one, "URI") for one in tree.iter() if local(one) == "CipherReference"}
    return not locked.isdisjoint(chapters)
