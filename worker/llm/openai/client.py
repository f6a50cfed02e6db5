"""The way to an OpenAI-compatible server: its SDK's client, and what that raises."""

import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import httpx2
import openai  # noqa: TID251 - this is the module that talks through the SDK

from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import fault, place
from worker.llm.network import CONNECT_TIMEOUT_S, account, sdk_client, sendable, within
from worker.llm.openai.errors import parsed, status_error

# Servers that want no key (llama-server, vLLM) ignore this; the SDK insists on one.
_NO_KEY = "none"

_CLOSE = {"Connection": "close"}

omit = openai.omit
"""Stands for a parameter that is not sent."""


class Client:
    """The SDK's client for one address, which retries nothing.

    `base_url` ends where `/chat/completions` begins. `timeout_s`: the longest silence, in seconds.
    `max_connections` bounds the pool. `proxied` heeds HTTP_PROXY, SSL_CERT_FILE and their like;
    False sends to this address and nowhere else. `once` sends every request a single time, over a
    connection of its own: aiohttp, which is faster, asks again by itself where a server hangs up on
    what changes nothing. Raises ConfigError where key, proxy or certificates cannot be used.
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
        self.secret = api_key or ""
        timeout = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        address = httpx2.URL(base_url)
        self.sdk = openai.AsyncOpenAI(
            api_key=sendable(api_key or _NO_KEY, "FRONTIER_API_KEY"),
            base_url=address.copy_with(userinfo=b""),
            default_headers=account(address) | (_CLOSE if once else {}),
            timeout=timeout,
            max_retries=0,
            http_client=sdk_client(
                openai.DefaultAsyncHttpxClient if once else openai.DefaultAioHttpClient,
                address,
                timeout,
                max_connections,
                proxied=proxied,
            ),
        )
        # The SDK takes these from variables that are meant for OpenAI's own service.
        self.sdk.organization = self.sdk.project = None

    async def send(self, call: Awaitable[Any], limit_s: float) -> Any:
        """What a call of the SDK gives within so many seconds. Raises EngineError."""
        return await within(limit_s, call, self._error, self.secret)

    async def stream(
        self, reply: AbstractAsyncContextManager[Any], limit_s: float
    ) -> AsyncGenerator[bytes, None]:
        """The body of a reply, piece by piece, waited for so many seconds in all. Raises
        EngineError."""
        left = limit_s
        opened = await self.send(reply.__aenter__(), left)
        try:
            async with aclosing(opened.iter_bytes()) as pieces:
                while True:
                    since = time.monotonic()
                    piece = await self.send(anext(pieces, None), left)
                    left -= time.monotonic() - since
                    if piece is None:
                        return
                    yield piece
        finally:
            await reply.__aexit__(None, None, None)

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()

    def _error(self, exc: Exception) -> EngineError:
        if self.sdk.is_closed():
            return EngineError(Trouble.UNAVAILABLE, f"{self.where}: this engine has been closed")
        reply = refusal(exc)
        if reply is None:
            return fault(exc, self.where, self.secret)
        body = parsed(reply.content)
        return status_error(reply.status_code, body, reply.headers, self.where, self.secret)


def refusal(exc: BaseException | None) -> httpx2.Response | None:
    """The reply with a status of 300 or more that an exception of the SDK stands for."""
    return exc.response if isinstance(exc, openai.APIStatusError) else None
