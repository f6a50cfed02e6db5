"""Signed requests to one of AWS's services: each is sent once, and answered whole or in pieces."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO

import aiohttp
import httpx2
from yarl import URL

from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import fault, place
from worker.llm.network import CONNECT_TIMEOUT_S, proxy_for, session, trusted

Signer = Callable[[str, str, bytes], dict[str, str]]
"""The headers for a method, a URL and a body. May block; raises EngineError."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whole. `secret`: what of the request must never be shown."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    secret: str = field(repr=False)


class Wire:
    """A service of AWS at one address.

    `sign` says who asks; it is called in a thread. `timeout_s` is the limit for an answer, in
    seconds, and for credentials. `max_connections` bounds the pool and must not be below the
    requests in flight. `proxied` heeds HTTPS_PROXY, SSL_CERT_FILE and their like. `once` gives each
    request a connection of its own. Raises ConfigError where these cannot be used.
    """

    def __init__(
        self,
        service: str,
        address: str,
        sign: Signer,
        *,
        timeout_s: float,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        max_connections: int,
        proxied: bool = True,
        once: bool = False,
    ) -> None:
        self._once = once
        self.where = f"{service} at {place(address)}"
        """The service, as it may be shown."""
        self._address = str(URL(address).with_user(None)).rstrip("/")
        self._sign = sign
        self._timeout_s = timeout_s
        self._proxy = proxy_for(httpx2.URL(address)) if proxied else None
        self._trusted = trusted(heed_environment=proxied)
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout_s)
        self._max_connections = max_connections
        self._signing = ThreadPoolExecutor(1, "aws-signing")
        self._open: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(
        self, method: str, path: str, content: bytes = b"", *, limit_s: float | None = None
    ) -> Reply:
        """The answer to a request, whatever its status. Raises EngineError, and nothing else of
        the network's."""
        limit_s = self._timeout_s if limit_s is None else limit_s
        url = f"{self._address}/{path}"
        try:
            headers = await self._signed(method, url, content, limit_s)
            async with (
                asyncio.timeout(limit_s),
                self._request(method, url, content, headers) as response,
            ):
                return await _whole(response, headers)
        except EngineError:
            raise
        except Exception as exc:  # the border: whatever the network stack raises ends here
            raise fault(exc, self.where) from exc

    async def pieces(
        self, path: str, refused: Callable[[Reply], EngineError | None]
    ) -> AsyncGenerator[bytes, None]:
        """The body of what is at a path, as it comes; the limit is for all that it is waited for.
        `refused` says what another status than 200 means; None: that there is nothing. Raises
        EngineError, and nothing else of the network's."""
        left = self._timeout_s
        url = f"{self._address}/{path}"
        try:
            headers = await self._signed("GET", url, b"", left)
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(left):
                    asked = self._request("GET", url, b"", headers)
                    response = await stack.enter_async_context(asked)
                if response.status != HTTPStatus.OK:
                    async with asyncio.timeout(left):
                        error = refused(await _whole(response, headers))
                    if error is not None:
                        raise error
                    return
                while True:
                    since = time.monotonic()
                    async with asyncio.timeout(left):
                        piece = await response.content.readany()
                    left -= time.monotonic() - since
                    if not piece:
                        return
                    yield piece
        except EngineError:
            raise
        except Exception as exc:  # the border
            raise fault(exc, self.where) from exc

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        self._signing.shutdown(wait=False, cancel_futures=True)
        if self._open is not None:
            await self._open.close()

    async def _signed(
        self, method: str, url: str, content: bytes, limit_s: float
    ) -> dict[str, str]:
        if self._closed:
            raise EngineError(Trouble.UNAVAILABLE, f"{self.where}: this engine has been closed")
        # In a thread: credentials may have to be fetched or renewed. Nothing has been sent yet.
        work = asyncio.get_running_loop().run_in_executor(
            self._signing, self._sign, method, url, content
        )
        try:
            async with asyncio.timeout(limit_s):
                return await work
        except TimeoutError as exc:
            said = f"{self.where}: no AWS credentials within {limit_s:g} s, look at what gives them"
            raise EngineError(Trouble.AUTH, said) from exc

    def _request(
        self, method: str, url: str, content: bytes, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        if self._open is None:  # made at the first call, for it belongs to the running loop
            self._open = session(
                self._max_connections, self._timeout, trusted=self._trusted, once=self._once
            )
        return self._open.request(
            method,
            URL(url, encoded=True),  # exactly as it was signed
            data=BytesIO(content) if content else None,  # sent in pieces
            headers=headers,
            allow_redirects=False,
            proxy=self._proxy,
        )


async def _whole(response: aiohttp.ClientResponse, headers: Mapping[str, str]) -> Reply:
    # AWS repeats what was signed, session token included, where a signature is wrong.
    secret = f"{headers.get('X-Amz-Security-Token', '')} {headers['Authorization']}"
    return Reply(response.status, response.headers, await response.read(), secret)
