"""Documents that are a ZIP of XML parts: Office Open XML, OpenDocument, EPUB."""

import zipfile
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from posixpath import dirname, join, normpath
from xml.etree import ElementTree

from models.archives import MEBIBYTE, MOST_RATIO, SMALL
from worker.read.kinds import Text, Why, damaged, gaps, needs_password, ranges

Element = ElementTree.Element

MOST_PART = 200 * MEBIBYTE
"""Of one part, unpacked. Its tree takes some ten times as much, and meets the memory limit."""

MOST_PACKAGE = 1024 * MEBIBYTE
MOST_PARTS = 20_000

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)


class Package:
    """An open package. Raises ReadError `damaged` for bombs and what is no ZIP."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except _BROKEN as error:
            raise damaged(name, error) from error
        self._guard(self._zip.infolist())
        self.parts = frozenset(self._zip.namelist())

    def _guard(self, infos: list[zipfile.ZipInfo]) -> None:
        bomb = any(i.file_size > max(SMALL, MOST_RATIO * i.compress_size) for i in infos)
        total = sum(info.file_size for info in infos)
        largest = max((info.file_size for info in infos), default=0)
        if bomb or largest > MOST_PART or total > MOST_PACKAGE or len(infos) > MOST_PARTS:
            raise damaged(self.name, "it unpacks to more than a document may")
        if any(info.flag_bits & 1 for info in infos):
            raise needs_password(self.name)

    def read(self, part: str) -> bytes:
        """The bytes of a part. Raises ReadError `damaged` where there is none."""
        try:
            return self._zip.read(part)
        except (KeyError, RuntimeError, *_BROKEN) as error:
            raise damaged(self.name, error) from error

    def xml(self, part: str) -> Element:
        """The tree of a part. Raises ReadError `damaged`."""
        return parsed(self.read(part), self.name)

    def pages(self, parts: Sequence[str], called: str, read: Callable[[str], str]) -> Text:
        """A page for each of these parts, by `read`. One that is listed and not there is missing,
        and noted as what it is `called`."""
        lost = [number for number, part in enumerate(parts, 1) if part not in self.parts]
        notes = [f"{called}s {ranges(lost)} are listed and not in {self.name}"]
        texts = (read(part) if part in self.parts else "" for part in parts)
        return Text.of(texts, notes if lost else (), gaps(dict.fromkeys(lost, Why.UNREADABLE)))

    def main(self, usual: str) -> str:
        """The part that an Office Open XML document is made of, mostly called so."""
        return next((p for kind, p in self.related("").values() if kind == "officeDocument"), usual)

    def related(self, part: str) -> dict[str, tuple[str, str]]:
        """What an Office Open XML part points at in the package: by id its kind and its part."""
        folder, _, file = part.rpartition("/")
        rels = f"{folder}/_rels/{file}.rels".lstrip("/")
        if rels not in self.parts:
            return {}
        return {
            rel.get("Id", ""): (rel.get("Type", "").rpartition("/")[2], found)
            for rel in self.xml(rels)
            if rel.get("TargetMode") != "External"
            and (found := resolved(part, rel.get("Target", ""))) in self.parts
        }


def resolved(part: str, target: str) -> str:
    """The part that `target` means where it stands in `part`."""
    return normpath(join("/", dirname(part), target)).lstrip("/")


def parsed(data: bytes, name: str) -> Element:
    """A tree of XML. Nothing outside is fetched, and expat ends what its entities blow up."""
    try:
        return ElementTree.fromstring(data)  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise damaged(name, error) from error


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """An attribute by its name without the namespace; "" where there is none."""
    return next((v for key, v in element.items() if key.rpartition("}")[2] == name), "")
