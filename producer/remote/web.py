"""Fetching over HTTP: within limits, a few files at a time, and from allowed addresses only."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from tempfile import SpooledTemporaryFile
from threading import Thread
from typing import IO, Any, Self, TypeVar, cast

import aiohttp
from yarl import URL

from models.archives import MEBIBYTE
from models.config import SourcesConfig
from producer.places import File, NotFetched, Opened, Refused, not_had
from producer.remote.access import Access
from producer.remote.reach import Sockets, not_connected, reach, refuse_open_text

T = TypeVar("T")

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
BUSY = frozenset({429, 500, 502, 503, 504})
"""Answers of a server that may give another one in a moment."""

WAITS_S = (0.5, 2.0, 5.0)
"""Before it is asked again."""

CONNECT_S, SILENCE_S = 30.0, 60.0
"""Until it is connected; between two parts of an answer."""

PART_BYTES = 65_536
MOST_SAID = 4_096
"""Bytes of an error that are looked at."""

AHEAD = 8
"""Files that are fetched at a time."""

AHEAD_BYTES = 64 * MEBIBYTE
"""Of the files that are fetched at a time, together, unless one alone is larger."""

IN_MEMORY = 8 * MEBIBYTE
"""A file that is larger stands in one without a name until it is stored."""


Refuse = Callable[[int], None]
"""Raises NotFetched when so many bytes are too many."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a server is asked. `headers` go to this server only, not where it sends us."""

    url: URL
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Answered(NotFetched):
    """A server answered something else than what was asked for. `said`: how its error begins."""

    def __init__(self, status: int, headers: Mapping[str, str], said: bytes) -> None:
        category = "not_found" if status in (404, 410) else "not_fetched"
        super().__init__(category, f"its server answers {status}")
        self.status, self.headers, self.said = status, headers, said


class Web:
    """Connections to servers, kept while it is entered. What is fetched comes while the caller
    does other things: a loop on a thread of its own does the fetching."""

    def __init__(self, access: Access) -> None:
        self._config = access.config
        self._sockets = Sockets(reach(access))

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._session = self._start(_session(self._sockets)).result()
        return self

    def __exit__(self, *_: object) -> None:
        self._start(_closed(self._session)).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def answer(self, request: Request, most: int) -> IO[bytes]:
        """A list of files, of so many bytes at most. Raises NotFetched."""
        into = _content()
        try:
            self._start(self._fetched(request, into, partial(_refuse_long_list, most))).result()
        except BaseException:
            into.close()
            raise
        into.seek(0)
        return into

    def each(
        self,
        found: Iterable[File | Refused],
        request: Callable[[File], Request],
        explained: Callable[[Answered], NotFetched] = lambda answered: answered,
    ) -> Iterator[Opened | Refused]:
        """`Place.contents`, with a few files fetched ahead. `request` may raise NotFetched;
        `explained`: what another answer means at this place."""
        ahead = deque[Refused | _Coming]()
        try:
            for file in found:
                size = file.size if isinstance(file, File) else 0
                while ahead and (len(ahead) == AHEAD or _bytes(ahead) + size > AHEAD_BYTES):
                    yield from _come(ahead.popleft(), explained)
                ahead.append(self._asked(file, request) if isinstance(file, File) else file)
            while ahead:
                yield from _come(ahead.popleft(), explained)
        finally:
            for coming in ahead:
                if isinstance(coming, _Coming):
                    coming.done.cancel()
                    coming.content.close()

    def _asked(self, file: File, request: Callable[[File], Request]) -> "Refused | _Coming":
        try:
            self._refuse_larger(file.size)
            asked = request(file)
        except NotFetched as exc:
            return not_had(file, exc)
        content = _content()
        return _Coming(
            file, content, self._start(self._fetched(asked, content, self._refuse_larger))
        )

    def _refuse_larger(self, size: int) -> None:
        refuse_larger(size, self._config)

    async def _fetched(self, request: Request, into: IO[bytes], refuse: Refuse) -> None:
        try:
            async with asyncio.timeout(self._config.download_seconds):
                await self._in_the_end(request, into, refuse)
        except TimeoutError:
            why = "it took too long; raise sources.download_seconds in docmill.toml"
            raise NotFetched("not_fetched", why) from None
        except aiohttp.ClientConnectorError as exc:
            raise not_connected(exc.os_error) from None
        except aiohttp.ClientError as exc:
            raise NotFetched("not_fetched", type(exc).__name__) from None
        except ValueError:
            raise NotFetched("not_fetched", "that is no address") from None

    async def _in_the_end(self, request: Request, into: IO[bytes], refuse: Refuse) -> None:
        """A server that is busy, or hangs up, is asked again."""
        for wait_s in WAITS_S:
            try:
                await self._followed(request, into, refuse)
                return
            except Answered as exc:
                if exc.status not in BUSY:
                    raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError):
                pass
            into.seek(0)
            into.truncate()
            await asyncio.sleep(wait_s)
        await self._followed(request, into, refuse)

    async def _followed(self, request: Request, into: IO[bytes], refuse: Refuse) -> None:
        url, headers = request.url, request.headers
        for _ in range(MOST_REDIRECTS + 1):
            self._check(url)
            asked = self._session.request(
                request.method, url, headers=headers, data=request.body, allow_redirects=False
            )
            async with asked as response:
                if not _is_elsewhere(request, response):
                    await _store(response, into, refuse)
                    return
                url = url.join(URL(response.headers["Location"]))
                headers = headers if is_same_server(url, request.url) else {}
        raise NotFetched("not_fetched", f"more than {MOST_REDIRECTS} redirects")

    def _check(self, url: URL) -> None:
        if url.scheme not in ("http", "https"):
            why = f"{url.scheme}: is not read; fetch it into a folder first"
            raise NotFetched("unsupported_source", why)
        refuse_open_text(url.scheme, "https", self._config)


def _is_elsewhere(request: Request, response: aiohttp.ClientResponse) -> bool:
    """Who asks for a list has to know where it comes from, and so follows by himself."""
    is_redirect = response.status in REDIRECTS and "Location" in response.headers
    return is_redirect and request.method == "GET"


def is_same_server(one: URL, other: URL) -> bool:
    """Whether what is said to one of them may be said to the other."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


async def _store(response: aiohttp.ClientResponse, into: IO[bytes], refuse: Refuse) -> None:
    if response.status not in (200, 207):
        said = await response.content.read(MOST_SAID)
        raise Answered(response.status, response.headers, said)
    size = 0
    async for part in response.content.iter_chunked(PART_BYTES):
        size += len(part)
        refuse(size)
        into.write(part)


class OnTheWeb:
    """A place that is fetched over HTTP: entered, it has connections."""

    def __init__(self, name: str, web: Web) -> None:
        self.name = name
        self._web = web

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()


def refuse_larger(size: int, config: SourcesConfig) -> None:
    """Raises NotFetched for a file with more bytes than are fetched."""
    if size > config.download_mb * MEBIBYTE:
        more = f"larger than {config.download_mb} MB; raise sources.download_mb"
        raise NotFetched("too_large", f"{more} in docmill.toml")


def _content() -> IO[bytes]:
    """What is fetched; whoever takes it closes it."""
    return cast(IO[bytes], SpooledTemporaryFile(IN_MEMORY))


def _refuse_long_list(most: int, size: int) -> None:
    if size > most:
        why = f"its list of files is larger than {most // MEBIBYTE} MB; name a folder below it"
        raise NotFetched("too_large", why)


@dataclass(frozen=True, slots=True)
class _Coming:
    """A file that is being fetched."""

    file: File
    content: IO[bytes]
    done: "Future[None]"


def _bytes(ahead: Iterable[Refused | _Coming]) -> int:
    return sum(coming.file.size for coming in ahead if isinstance(coming, _Coming))


def _come(
    coming: Refused | _Coming, explained: Callable[[Answered], NotFetched]
) -> Iterator[Opened | Refused]:
    if isinstance(coming, Refused):
        yield coming
        return
    with coming.content:
        try:
            coming.done.result()
        except NotFetched as exc:
            why = explained(exc) if isinstance(exc, Answered) else exc
            yield not_had(coming.file, why)
            return
        coming.content.seek(0)
        yield Opened(coming.file, coming.content)


async def _session(sockets: Sockets) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=sockets),
        timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S, sock_read=SILENCE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "docmill", "Accept-Encoding": "identity"},
        auto_decompress=False,
    )


async def _closed(session: aiohttp.ClientSession) -> None:
    """What is still being fetched is given up."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await session.close()
