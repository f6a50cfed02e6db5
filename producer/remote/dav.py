"""Folders of a WebDAV server, such as Nextcloud's: a list for each folder, then its files.

https://www.rfc-editor.org/rfc/rfc4918
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

from yarl import URL

from producer.places import File, NotFetched, Opened, Refused, readable
from producer.remote.access import SAY_WHO
from producer.remote.web import Answered, OnTheWeb, Request, Web

LONGEST_PATH = 4_096
"""Characters: a folder in a folder without end has one somewhere."""

_ASK = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/>'
    b"<getcontentlength/><getlastmodified/><getetag/></prop></propfind>"
)
_STRONG = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a server, by its path there: encoded, as in an address."""

    path: str


class Dav(OnTheWeb):
    """A file of a server, or all below a folder. `server` is how names begin, `url` is https, or
    http, and names nobody."""

    def __init__(self, server: str, url: URL, user: str | None, password: str, web: Web) -> None:
        super().__init__(readable(server + url.path).rstrip("/"), web)
        self._url, self._server = url, server
        self._headers = {"Depth": "1", "Content-Type": "application/xml"}
        self._login = {} if user is None else {"Authorization": _basic(user, password)}

    def files(self) -> Iterator[File | Refused]:
        """As `Place` has it: by name, folder by folder, but hidden ones."""
        left: list[File | Folder] = [*self._list(self._url.raw_path)]
        if not left:
            yield Refused(self.name, "not_found", f"{self.name}: no file in this folder")
        while left:
            found = left.pop()
            if isinstance(found, File):
                yield found
                continue
            try:
                left += self._list(found.path)
            except NotFetched as exc:
                name = self._named(found.path)
                yield Refused(name, "not_entered", f"{name}: it was not entered: {exc}")

    def _list(self, path: str) -> list[File | Folder]:
        """What lies in a folder, the last first; of a file itself."""
        if len(path) > LONGEST_PATH:
            raise NotFetched("not_fetched", "folders in folders without end")
        url = self._url.with_path(path, encoded=True)
        try:
            asked = Request(url, "PROPFIND", self._headers | self._login, _ASK)
            root = ElementTree.fromstring(self._web.answer(asked))  # noqa: S314 - expat ends bombs
            found = [
                self._told(entry) for entry in root.iterfind("{DAV:}response") if _is_there(entry)
            ]
        except Answered as exc:
            raise _explained(exc) from None
        except (ElementTree.ParseError, ValueError):
            raise NotFetched("not_fetched", "its server does not answer as WebDAV does") from None
        return sorted(_within(path, found), key=_path, reverse=True)

    def _told(self, entry: ElementTree.Element) -> File | Folder:
        path = URL(entry.findtext("{DAV:}href") or "").raw_path
        props = "{DAV:}propstat/{DAV:}prop/{DAV:}"
        if entry.find(f"{props}resourcetype/{{DAV:}}collection") is not None:
            return Folder(path)
        etag = _STRONG.fullmatch(entry.findtext(f"{props}getetag") or "")
        return File(
            self._named(path),
            path,
            int(entry.findtext(f"{props}getcontentlength") or 0),
            _ns(entry.findtext(f"{props}getlastmodified")),
            etag[0] if etag else "",
        )

    def _named(self, path: str) -> str:
        return readable(self._server + self._url.with_path(path, encoded=True).path)

    def contents(self, found: Iterable[File | Refused]) -> Iterator[Opened | Refused]:
        """As `Place` has it."""
        return self._web.each(
            found,
            lambda file: Request(self._url.with_path(file.key, encoded=True), headers=self._login),
            _explained,
        )


def _is_there(entry: ElementTree.Element) -> bool:
    """Some servers list what may not be seen, with why not."""
    return " 404 " not in f"{entry.findtext('{DAV:}status') or ''} "


def _within(folder: str, found: Iterable[File | Folder]) -> Iterator[File | Folder]:
    """What lies in a folder itself: a server may name anything. And the file that it is instead."""
    base = folder.rstrip("/") + "/"
    for entry in found:
        path = _path(entry)
        if isinstance(entry, File) and path == folder:
            yield entry
        name = path.removeprefix(base).rstrip("/")
        if path.startswith(base) and name and "/" not in name and not name.startswith("."):
            yield entry


def _path(entry: File | Folder) -> str:
    return entry.key if isinstance(entry, File) else entry.path


def _ns(changed: str | None) -> int:
    return int(parsedate_to_datetime(changed).timestamp()) * 10**9 if changed else 0


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _explained(answered: Answered) -> NotFetched:
    if answered.status in (401, 403):
        return NotFetched("not_allowed", f"its server answers {answered.status}; {SAY_WHO}")
    if answered.status in (405, 501):
        return NotFetched("not_fetched", "its server does not speak WebDAV there")
    return answered
