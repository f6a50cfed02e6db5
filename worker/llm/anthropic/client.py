"""Anthropic's SDK at one address: what is sent through it, and what its errors mean."""

import time
from collections.abc import AsyncGenerator, Awaitable
from typing import Any

import anthropic  # noqa: TID251 - this is the module that talks through the SDK
import httpx2

from worker.llm.anthropic import KEY_NAME
from worker.llm.anthropic.errors import status_error
from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import fault, place
from worker.llm.network import CONNECT_TIMEOUT_S, account, in_pieces, sdk_client, sendable, within

_NO_KEY = "none"
"""For servers that want none. The SDK would look for keys and log-ins of its own."""

_CLOSE = {"Connection": "close"}


class Client:
    """Requests to a server that speaks Anthropic's API. The SDK tries none again.

    `base_url` ends where `/v1` begins. `timeout_s` is the limit for a whole request, in seconds.
    `max_connections` bounds the pool and must not be below the requests in flight. `proxied` heeds
    HTTP_PROXY, SSL_CERT_FILE and their like; False sends to this address and nowhere else. `once`
    sends every request a single time, over a connection of its own: aiohttp, which is faster, asks
    again by itself where a server hangs up on what changes nothing. Raises ConfigError where key,
    proxy or certificates cannot be used.
    """

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
        self.sdk = anthropic.AsyncAnthropic(
            api_key=sendable(api_key or _NO_KEY, KEY_NAME),
            base_url=address.copy_with(userinfo=b""),
            max_retries=0,
            open_telemetry=False,  # what is asked and answered goes to nobody else
            http_client=sdk_client(
                anthropic.DefaultAsyncHttpxClient if once else anthropic.DefaultAioHttpClient,
                address,
                self.timeout,
                max_connections,
                proxied=proxied,
            ),
        )
        # The SDK adds those of ANTHROPIC_CUSTOM_HEADERS, which are meant for Anthropic's own
        # service and not for whatever stands at this address.
        self.sdk._custom_headers = account(address) | (_CLOSE if once else {})

    async def send(self, call: Awaitable[Any], limit_s: float | None = None) -> Any:
        """What a call of the SDK gives, within so many seconds or the limit of all requests.
        Raises EngineError, and nothing else of the network's."""
        limit_s = self._timeout_s if limit_s is None else limit_s
        return await within(limit_s, call, self._error, self.secret)

    def post(self, path: str, content: bytes) -> Awaitable[httpx2.Response]:
        """A call that sends a body of JSON to a path."""
        return self.sdk.post(
            path,
            cast_to=httpx2.Response,
            content=in_pieces(content),
            options={
                "headers": {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(content)),
                },
                "timeout": self.timeout,
            },
        )

    async def pieces(self, path: str) -> AsyncGenerator[bytes, None]:
        """The body of what is at a path, as it comes; the limit is for all that it is waited for.
        Raises EngineError, and nothing else of the network's."""
        call = self.sdk.get(
            path,
            cast_to=httpx2.Response,
            options={"timeout": self.timeout},
            stream=True,
            stream_cls=anthropic.AsyncStream[Any],
        )
        left = self._timeout_s
        response = await self.send(call, left)
        try:
            body = response.aiter_bytes()
            while True:
                since = time.monotonic()
                piece = await self.send(anext(body, None), left)
                left -= time.monotonic() - since
                if piece is None:
                    return
                yield piece
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()

    def _error(self, exc: Exception) -> EngineError:
        if self.sdk.is_closed():
            return EngineError(Trouble.UNAVAILABLE, f"{self.where}: this engine has been closed")
        if not isinstance(exc, anthropic.APIStatusError):
            return fault(exc, self.where, self.secret)
        headers = exc.response.headers
        return status_error(exc.status_code, exc.body, headers, self.where, self.secret)


def refusal_behind(error: EngineError) -> object:
    """The body of the refusal that an error came from, its JSON or its text; None: there is none,
    or it repeats the key."""
    cause = error.__cause__
    return cause.body if isinstance(cause, anthropic.APIStatusError) else None
