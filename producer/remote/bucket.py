"""Buckets of objects: everything below a prefix, listed a page at a time, by name."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.archives import MEBIBYTE
from producer.places import File, NotFetched, Opened, Refused, readable
from producer.remote.web import Answered, OnTheWeb, Request, Web

PAGE = 1_000
"""Objects of a page: the most that S3 and Google give."""

MOST_PAGE = 8 * MEBIBYTE
"""Bytes of a page: a key has 1,024 at most, or three times as many where it is written for an
address."""

_HIDDEN = re.compile(r"(^|/)\.")


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a bucket. `size` in bytes, `changed_ns` since 1970."""

    key: str
    size: int
    changed_ns: int
    etag: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list. `more`: by what the next one is asked for; None: it was the last."""

    objects: Sequence[Object]
    more: str | None


class Dialect(Protocol):
    """How a service is asked, and signed to. All may raise NotFetched."""

    def listing(self, prefix: str, most: int, more: str | None) -> Request:
        """What asks for the objects whose keys begin so."""
        ...

    def listed(self, answer: bytes) -> Listed:
        """What it answered."""
        ...

    def content(self, key: str) -> Request:
        """What asks for the bytes of an object."""
        ...

    def explained(self, answered: Answered) -> NotFetched | None:
        """What another answer means, and what to do; None: ask again, now that we know more."""
        ...


class Bucket(OnTheWeb):
    """An object of a bucket, or all below a prefix of its keys. `name` is scheme and bucket."""

    def __init__(self, bucket: str, key: str, dialect: Dialect, web: Web) -> None:
        super().__init__(readable(f"{bucket}/{key}".rstrip("/")), web)
        self._bucket, self._key, self._dialect = bucket, key, dialect

    def files(self) -> Iterator[File | Refused]:
        """As `Place` has it; but hidden ones, and those that only stand for a folder."""
        prefix = self._key
        if prefix and not prefix.endswith("/"):
            first = self._page(prefix, 1, None).objects
            if first and first[0].key == prefix:  # nothing that begins with it comes before it
                yield self._file(first[0])
                return
            prefix += "/"
        empty, page = True, Listed((), "")
        while page.more is not None:
            before, page = page.more, self._page(prefix, PAGE, page.more or None)
            if before and page.more == before:
                raise NotFetched("not_fetched", "its list begins again where it went on")
            for found in page.objects:
                if not found.key.endswith("/") and not _HIDDEN.search(found.key[len(prefix) :]):
                    empty = False
                    yield self._file(found)
        if empty:
            why = "no object there; a name with signs like * is taken as it is"
            yield Refused(self.name, "not_found", f"{self.name}: {why}")

    def _file(self, found: Object) -> File:
        name = readable(f"{self._bucket}/{found.key}")
        return File(name, found.key, found.size, found.changed_ns, found.etag)

    def _page(self, prefix: str, most: int, more: str | None) -> Listed:
        try:
            asked = self._dialect.listing(prefix, most, more)
            with self._web.answer(asked, MOST_PAGE) as answer:
                return self._dialect.listed(answer.read())
        except Answered as exc:
            if why := self._dialect.explained(exc):
                raise why from None
            return self._page(prefix, most, more)

    def contents(self, found: Iterable[File | Refused]) -> Iterator[Opened | Refused]:
        """As `Place` has it."""
        speaks = self._dialect
        return self._web.each(
            found, lambda file: speaks.content(file.key), lambda exc: speaks.explained(exc) or exc
        )
