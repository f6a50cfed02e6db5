"""EPUB: a page a chapter, in the order of reading."""

from urllib.parse import unquote

from worker.read import html
from worker.read.kinds import Bounds, Text, damaged, needs_password, too_many_pages
from worker.read.package import Package, attribute, local, resolved

_CONTAINER = "META-INF/container.xml"


def read(data: bytes, name: str, bounds: Bounds) -> Text:
    """Read the chapters that the book lists; one that is not there is missing. Raises ReadError."""
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
    listed = [items.get(idref, idref) for idref in spine]
    chapters = [chapter for chapter in listed if chapter in package.parts]
    if "META-INF/encryption.xml" in package.parts and _locked(package, chapters):
        raise needs_password(name)
    if not chapters:
        raise damaged(name, "it has none of the chapters that it lists")
    if len(listed) > bounds.pages:
        raise too_many_pages(name, len(listed), bounds.pages)
    return package.pages(
        listed, "chapter", lambda part: html.read(package.read(part), name, bounds).whole
    )


def _locked(package: Package, chapters: list[str]) -> bool:
    """Whether chapters are encrypted; fonts often are, and do not matter."""
    tree = package.xml("META-INF/encryption.xml")
    locked = {attribute(one, "URI") for one in tree.iter() if local(one) == "CipherReference"}
    return not locked.isdisjoint(chapters)
