"""A provider's SDK at one address, whichever it is: what it sends, and how long it may take."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import httpx2

from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import fault, mentions, place
from worker.llm.network import (
    CONNECT_TIMEOUT_S,
    KEEPALIVE_S,
    account,
    proxy_for,
    sendable,
    trusted,
)

_NO_KEY = "none"
"""Servers that want none ignore it. Without one SDKs would look for keys and log-ins themselves."""

_CLOSE = {"Connection": "close"}


class _Sdk(Protocol):
    """What the SDKs' own clients have in common."""

    def is_closed(self) -> bool: ...

    async def close(self) -> None: ...


SdkT = TypeVar("SdkT", bound=_Sdk)


class SdkClient(ABC, Generic[SdkT]):
    """An SDK that sends to one address and tries nothing again.

    `timeout_s` is the limit for a request, in seconds, unless it has one of its own.
    `max_connections` bounds the pool and must not be below the requests in flight. `proxied` heeds
    HTTP_PROXY, SSL_CERT_FILE and their like; False sends to this address and nowhere else. `once`
    sends every request a single time, over a connection of its own: aiohttp, which is faster, asks
    again by itself where a server hangs up on what changes nothing. Raises ConfigError where key,
    proxy or certificates cannot be used.
    """

    KEY_NAME: ClassVar[str]
    """Where the key usually stands."""
    POOLED: ClassVar[Callable[..., httpx2.AsyncClient]]
    ONE_BY_ONE: ClassVar[Callable[..., httpx2.AsyncClient]]
    """The SDK's own ways to connect: by aiohttp, and by httpx2."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout_s: float,
        max_connections: int,
        proxied: bool,
        once: bool = False,
    ) -> None:
        self.where = place(base_url)
        """The address, as it may be shown."""
        self.secret = api_key or ""
        self.timeout = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._timeout_s = timeout_s
        address = httpx2.URL(base_url)
        self.sdk = self._made(
            sendable(api_key or _NO_KEY, self.KEY_NAME),
            address.copy_with(userinfo=b""),
            account(address) | (_CLOSE if once else {}),
            (self.ONE_BY_ONE if once else self.POOLED)(
                timeout=self.timeout,
                limits=httpx2.Limits(max_connections=max_connections, keepalive_expiry=KEEPALIVE_S),
                # A prompt goes to the address in the configuration, nowhere else.
                follow_redirects=False,
                verify=trusted(heed_environment=proxied),
                proxy=proxy_for(address) if proxied else None,
                trust_env=False,
            ),
        )

    @abstractmethod
    def _made(
        self, key: str, address: httpx2.URL, headers: Mapping[str, str], http: httpx2.AsyncClient
    ) -> SdkT:
        """The SDK's client, which sends these headers with every request."""

    @abstractmethod
    def _refused(self, exc: Exception) -> EngineError | None:
        """What a refusal means that the SDK raises; None: it is no refusal."""

    async def send(self, call: Awaitable[Any], limit_s: float | None = None) -> Any:
        """What a call of the SDK gives, within so many seconds or the limit of all requests. Raises
        EngineError: whatever SDK and network raise ends here. A server may repeat the secret in its
        own words: then the cause is not shown either."""
        try:
            async with asyncio.timeout(self._timeout_s if limit_s is None else limit_s):
                return await call
        except Exception as exc:
            raise self._error(exc) from None if mentions(exc, self.secret) else exc

    async def _pieces(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """A body as it comes; the limit is for all that it is waited for. Raises EngineError."""
        left = self._timeout_s
        while True:
            since = time.monotonic()
            piece = await self.send(anext(body, None), left)
            left -= time.monotonic() - since
            if piece is None:
                return
            yield piece

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()

    def _error(self, exc: Exception) -> EngineError:
        if self.sdk.is_closed():
            return EngineError(Trouble.UNAVAILABLE, f"{self.where}: this engine has been closed")
        return self._refused(exc) or fault(exc, self.where, self.secret)
