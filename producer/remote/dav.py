"""Folders of a WebDAV server, such as Nextcloud's: a list for each folder, then its files.

https://www.rfc-editor.org/rfc/rfc4918
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import IO
from xml.etree import ElementTree

from yarl import URL

from models.archives import MEBIBYTE
from producer.places import File, NotFetched, Opened, Refused, changed_ns, readable
from producer.remote.access import SAY_WHO
from producer.remote.web import (
    MOST_REDIRECTS,
    REDIRECTS,
    Answered,
    OnTheWeb,
    Request,
    Web,
    is_same_server,
)

LONGEST_PATH = 4_096
"""Characters: a folder in a folder without end has one somewhere."""

MOST_LIST = 64 * MEBIBYTE
"""Bytes of the list of a folder."""

MOST_LISTED = 200_000
"""Files and folders that are listed and were not looked at yet, in all folders together: of half a
kilobyte each."""

MOST_PARTS = 1_000
"""Elements of an entry of a list; there are a dozen."""

_ASK = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/>'
    b"<getcontentlength/><getlastmodified/><getetag/></prop></propfind>"
)
_SCHEMES = {"https": "davs", "http": "dav"}
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
        left = self._list(self._url.raw_path, MOST_LISTED)
        if not left:
            yield Refused(self.name, "not_found", f"{self.name}: no file in this folder")
        while left:
            found = left.pop()
            if isinstance(found, File):
                yield found
                continue
            try:
                left += self._list(found.path, MOST_LISTED - len(left))
            except NotFetched as exc:
                name = self._named(found.path)
                yield Refused(name, "not_entered", f"{name}: it was not entered: {exc}")

    def _list(self, path: str, most: int) -> list[File | Folder]:
        """What lies in a folder, the last first; of a file itself."""
        if len(path) > LONGEST_PATH:
            raise NotFetched("not_fetched", "folders in folders without end")
        try:
            folder, answer = self._answer(path)
            with answer:
                told = (self._told(entry) for entry in _entries(answer) if _is_there(entry))
                found = list(islice((one for one in told if _is_in(folder, one)), most + 1))
        except (ElementTree.ParseError, ValueError):
            raise NotFetched("not_fetched", "its server does not answer as WebDAV does") from None
        if len(found) > most:
            why = f"more than {MOST_LISTED:,} files and folders at a time; name a folder below it"
            raise NotFetched("too_large", why)
        return sorted(found, key=_path, reverse=True)

    def _answer(self, path: str) -> tuple[str, IO[bytes]]:
        """Where a folder lies by now, and its list."""
        is_root = path == self._url.raw_path
        for _ in range(MOST_REDIRECTS + 1):
            url = self._url.with_path(path, encoded=True)
            asked = Request(url, "PROPFIND", self._headers | self._login, _ASK)
            try:
                return path, self._web.answer(asked, MOST_LIST)
            except Answered as exc:
                path = _moved(url, exc, is_root=is_root)
        raise NotFetched("not_fetched", f"more than {MOST_REDIRECTS} redirects")

    def _told(self, entry: ElementTree.Element) -> File | Folder:
        path = URL(entry.findtext("{DAV:}href") or "").raw_path
        props = "{DAV:}propstat/{DAV:}prop/{DAV:}"
        if entry.find(f"{props}resourcetype/{{DAV:}}collection") is not None:
            return Folder(path)
        etag = _STRONG.fullmatch(entry.findtext(f"{props}getetag") or "")
        return File(
            self._named(path),
            path,
            _size(entry.findtext(f"{props}getcontentlength") or ""),
            changed_ns(parsedate_to_datetime, entry.findtext(f"{props}getlastmodified")),
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


def _moved(url: URL, answered: Answered, *, is_root: bool) -> str:
    """The path that an answer leads to. A folder below may only be written otherwise, for else
    folders might go round in circles. Raises NotFetched where it leads nowhere, or elsewhere."""
    location = answered.headers.get("Location")
    if answered.status not in REDIRECTS or location is None:
        raise _explained(answered) from None
    to = url.join(URL(location)).with_user(None).with_query(None).with_fragment(None)
    is_same = to.raw_path.rstrip("/") == url.raw_path.rstrip("/")
    if is_same_server(to, url) and (is_root or is_same):
        return to.raw_path
    address = to.with_scheme(_SCHEMES.get(to.scheme, to.scheme))
    why = f"it was moved to {readable(str(address))}; name that address"
    raise NotFetched("not_fetched", why) from None


def _entries(answer: IO[bytes]) -> Iterator[ElementTree.Element]:
    """The entries of a list, one by one: of those before nothing is kept. Raises ParseError, and
    ValueError for what is no list, or an entry without end."""
    depth = parts = 0
    events = ElementTree.iterparse(answer, ("start", "end"))  # noqa: S314 - expat ends bombs
    for event, element in events:
        is_start = event == "start"
        depth, parts = depth + (1 if is_start else -1), parts + is_start
        if is_start and depth == 1:
            root = element
        if root.tag != "{DAV:}multistatus" or parts > MOST_PARTS:
            raise ValueError(element.tag)
        if not is_start and depth == 1:
            if element.tag == "{DAV:}response":
                yield element
            root.clear()
            parts = 0


def _is_there(entry: ElementTree.Element) -> bool:
    """Some servers list what may not be seen, with why not."""
    return " 404 " not in f"{entry.findtext('{DAV:}status') or ''} "


def _is_in(folder: str, entry: File | Folder) -> bool:
    """Whether it lies in a folder itself: a server may name anything. Or is the file that the
    folder is instead."""
    path, base = _path(entry), folder.rstrip("/") + "/"
    name = path.removeprefix(base).rstrip("/")
    is_below = path.startswith(base) and name != "" and "/" not in name and name[0] != "."
    return is_below or (isinstance(entry, File) and path == folder)


def _path(entry: File | Folder) -> str:
    return entry.key if isinstance(entry, File) else entry.path


def _size(said: str) -> int:
    return int(said) if said.isdecimal() and len(said) < 19 else 0


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _explained(answered: Answered) -> NotFetched:
    if answered.status in (401, 403):
        return NotFetched("not_allowed", f"its server answers {answered.status}; {SAY_WHO}")
    if answered.status in (405, 501):
        return NotFetched("not_fetched", "its server does not speak WebDAV there")
    return answered
