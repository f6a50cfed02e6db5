"""Documents that lie at an https address: fetched within limits, and from public addresses only.

Whoever names an address may not be who runs this host. So what it may reach is decided for the
socket, where the name has been looked up: names that lead into the building, redirects that do,
and names that are looked up twice with two answers all end there.
"""

import asyncio
import socket
from collections.abc import Callable
from errno import EACCES
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import IO

import aiohttp
from yarl import URL

from models.archives import MEBIBYTE
from models.config import SourcesConfig

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
CONNECT_S, SILENCE_S = 30.0, 60.0
"""Until it is connected; between two parts of an answer."""

PART_BYTES = 65_536
PRIVATE = (
    "it leads to an address of a private network; `[sources] private = true` in docmill.toml "
    "allows that"
)
_NAT64 = IPv6Network("64:ff9b::/96")

MayReach = Callable[[str], bool]
"""Whether a socket may be connected to an IP address."""


class NotFetched(Exception):
    """Why nothing came of an address: a category and words. They name no secret of it."""

    def __init__(self, category: str, why: str) -> None:
        super().__init__(why)
        self.category = category


def shown(address: str) -> str:
    """An address without what may be secret in it: who asks, and the query, which may be signed."""
    try:
        url = URL(address)
        return str(url.with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return address.partition("?")[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's, also where another one stands in it."""
    found = ip_address(address.partition("%")[0])
    return _is_global(_inner(found)) and _is_global(found)


def _is_global(found: IPv4Address | IPv6Address) -> bool:
    return found.is_global and not found.is_multicast


def _inner(found: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address leads to: mapped, 6to4, Teredo or NAT64."""
    if isinstance(found, IPv4Address):
        return found
    if found in _NAT64:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or (found.teredo or (None, found))[1] or found


def anywhere(_: str) -> bool:
    """Everything, where docmill.toml allows it."""
    return True


def fetch(
    address: str, into: IO[bytes], config: SourcesConfig, may_reach: MayReach | None = None
) -> None:
    """Write what lies at an address into a file. Raises NotFetched."""
    reach = may_reach or (anywhere if config.private else is_public)
    asyncio.run(_fetch(address, into, config, reach))


async def _fetch(address: str, into: IO[bytes], config: SourcesConfig, may_reach: MayReach) -> None:
    sockets = _Sockets(may_reach)
    try:
        async with asyncio.timeout(config.download_seconds):
            await _followed(URL(address), into, config, sockets)
    except TimeoutError:
        why = "it took too long; raise sources.download_seconds in docmill.toml"
        raise NotFetched("not_fetched", why) from None
    except aiohttp.ClientConnectorError as exc:
        if sockets.refused:
            raise NotFetched("private_address", PRIVATE) from None
        raise NotFetched("not_fetched", f"nobody answers ({exc.strerror})") from None
    except aiohttp.ClientError as exc:
        raise NotFetched("not_fetched", type(exc).__name__) from None
    except ValueError:
        raise NotFetched("not_fetched", "that is no address") from None


async def _followed(url: URL, into: IO[bytes], config: SourcesConfig, sockets: "_Sockets") -> None:
    connector = aiohttp.TCPConnector(socket_factory=sockets)
    timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_S, sock_read=SILENCE_S)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "docmill", "Accept-Encoding": "identity"},
        auto_decompress=False,
    ) as session:
        for _ in range(MOST_REDIRECTS + 1):
            _check(url, config)
            async with session.get(url, allow_redirects=False) as response:
                location = response.headers.get("Location")
                if response.status not in REDIRECTS or location is None:
                    await _stored(response, into, config)
                    return
                url = url.join(URL(location))
    raise NotFetched("not_fetched", f"more than {MOST_REDIRECTS} redirects")


def _check(url: URL, config: SourcesConfig) -> None:
    """Text that is not encrypted on its way is for the building only."""
    if url.scheme == "https" or (url.scheme == "http" and config.private):
        return
    if url.scheme == "http":
        why = "only https is read, and http where `[sources] private = true` in docmill.toml"
    else:
        why = f"{url.scheme}: is not read; fetch it into a folder first"
    raise NotFetched("unsupported_source", why)


async def _stored(response: aiohttp.ClientResponse, into: IO[bytes], config: SourcesConfig) -> None:
    if response.status != 200:
        category = "not_found" if response.status in (404, 410) else "not_fetched"
        raise NotFetched(category, f"its server answers {response.status}")
    left = config.download_mb * MEBIBYTE
    async for part in response.content.iter_chunked(PART_BYTES):
        left -= len(part)
        if left < 0:
            more = f"larger than {config.download_mb} MB; raise sources.download_mb"
            raise NotFetched("too_large", f"{more} in docmill.toml")
        into.write(part)


class _Sockets:
    """Makes the sockets to addresses that were just looked up: nothing is looked up again behind
    it. `refused`: whether one led where nothing may be reached."""

    def __init__(self, may_reach: MayReach) -> None:
        self._may_reach = may_reach
        self.refused = False

    def __call__(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, where = address
        if not self._may_reach(str(where[0])):
            self.refused = True
            raise PermissionError(EACCES, "an address of a private network")
        return socket.socket(family, kind, protocol)
