"""A file at an address of its own."""

from collections.abc import Iterable, Iterator

from yarl import URL

from producer.places import File, NotFetched, Opened, Refused
from producer.remote.web import OnTheWeb, Request, Web


class Page(OnTheWeb):
    """What lies at an https address; http too, where private networks are allowed."""

    def __init__(self, name: str, address: str, web: Web) -> None:
        super().__init__(name, web)
        self._address = address

    def files(self) -> Iterator[File]:
        """The one that it is, though nobody has asked for it."""
        yield File(self.name, self._address)

    def contents(self, found: Iterable[File | Refused]) -> Iterator[Opened | Refused]:
        """As `Place` has it."""
        return self._web.each(found, lambda file: Request(_url(file.key)))


def _url(address: str) -> URL:
    try:
        return URL(address)
    except ValueError:
        raise NotFetched("not_fetched", "that is no address") from None
