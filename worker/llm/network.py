"""The way to an engine: keys that can be sent, proxies, certificates, connections that are kept.

What an HTTP library would take from the environment is read here, with errors that say so.
"""

import os
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2

from models.errors import ConfigError
from worker.llm.faults import place

CONNECT_TIMEOUT_S = 5.0
KEEPALIVE_S = 4.0
"""How long an idle connection is kept: below the 5 s after which the shortest-lived servers
(uvicorn) drop it, so that no paid request is sent into a connection that is just being closed."""

_PIECE_BYTES = 2**16

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def sendable(key: str, variable: str) -> str:
    """An API key, as a header can carry it. `variable`: where it usually stands. Raises
    ConfigError, without the key."""
    if not all("!" <= character <= "~" for character in key):
        said = "the API key holds a blank, a line break or a letter that is not ASCII"
        raise ConfigError(f"{said}: copy it anew into {variable} or whatever names it")
    return key


def account(address: httpx2.URL) -> dict[str, str]:
    """The header for the user and password of an address, which then stands for the key's."""
    if not address.userinfo:
        return {}
    named = f"{address.username}:{address.password}".encode()
    return {"Authorization": f"Basic {b64encode(named).decode()}"}


def trusted(*, heed_environment: bool) -> ssl.SSLContext:
    """Whom to trust, by SSL_CERT_FILE or SSL_CERT_DIR or else the system. Raises ConfigError."""
    try:
        return httpx2.create_ssl_context(trust_env=heed_environment)
    except OSError as exc:  # no such file, or one without certificates
        name = next((each for each in _CERTIFICATES if os.environ.get(each)), _CERTIFICATES[0])
        path = os.environ.get(name)
        said = f"{name} is {path!r}, which cannot be used ({exc.strerror or exc}); name a file of "
        raise ConfigError(f"{said}certificates in PEM, or unset it") from exc


def proxy_for(address: httpx2.URL) -> str | None:
    """The proxy that the environment names for an address. Raises ConfigError where it is none
    that can be used: aiohttp knows proxies of HTTP alone."""
    named = {} if proxy_bypass(address.host) else getproxies()
    name = next((each for each in (address.scheme, "all") if named.get(each)), None)
    if name is None:
        return None
    url = named[name] if "://" in named[name] else f"http://{named[name]}"
    if not _is_http(url):
        raise ConfigError(
            f"{name.upper()}_PROXY is {place(url)!r}: only proxies of HTTP can be used, written "
            f"http://host:port; name one, or add {address.host} to NO_PROXY"
        )
    return url


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    """A large body, so that nothing else stands still while it is sent."""
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


def session(
    max_connections: int,
    timeout: aiohttp.ClientTimeout,
    *,
    headers: Mapping[str, str] | None = None,
    auth: aiohttp.BasicAuth | None = None,
    proxy: str | None = None,
    trusted: ssl.SSLContext | None = None,
    once: bool = False,
) -> aiohttp.ClientSession:
    """Connections of aiohttp, which belong to the running loop. They keep no cookies and take
    nothing from the environment: what is to be heeded there is given. `once`: each is used for one
    request alone."""
    kept = None if once else KEEPALIVE_S
    made = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=max_connections, keepalive_timeout=kept, force_close=once, ssl=trusted or True
        ),
        headers=headers,
        auth=auth,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        proxy=proxy,
        trust_env=False,
    )
    # It would ask again by itself where a server hangs up on a GET, PUT or DELETE.
    made._retry_connection = False
    return made


def _is_http(url: str) -> bool:
    try:
        return httpx2.URL(url).scheme in ("http", "https")
    except httpx2.InvalidURL:
        return False
