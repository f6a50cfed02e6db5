"""The way to an OpenAI-compatible server: its SDK's client, and what that raises."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import httpx2
import openai  # noqa: TID251 - this is the module that talks through the SDK

from worker.llm.engine import EngineError
from worker.llm.openai.errors import parsed, status_error
from worker.llm.sdk import SdkClient

omit = openai.omit
"""Stands for a parameter that is not sent."""


class Client(SdkClient[openai.AsyncOpenAI]):
    """Requests to a server that speaks OpenAI's API. `base_url` ends where `/chat/completions`
    begins."""

    KEY_NAME = "FRONTIER_API_KEY"
    POOLED = openai.DefaultAioHttpClient
    ONE_BY_ONE = openai.DefaultAsyncHttpxClient

    def _made(
        self, key: str, address: httpx2.URL, headers: Mapping[str, str], http: httpx2.AsyncClient
    ) -> openai.AsyncOpenAI:
        sdk = openai.AsyncOpenAI(
            api_key=key,
            base_url=address,
            default_headers=headers,
            timeout=self.timeout,
            max_retries=0,
            http_client=http,
        )
        # The SDK takes these from variables that are meant for OpenAI's own service.
        sdk.organization = sdk.project = None
        return sdk

    @property
    def root(self) -> str:
        """Where servers of one's own have what is none of OpenAI's API."""
        return str(self.sdk.base_url).rstrip("/").removesuffix("/v1")

    async def stream(self, reply: AbstractAsyncContextManager[Any]) -> AsyncGenerator[bytes, None]:
        """The body of a reply, piece by piece. Raises EngineError."""
        opened = await self.send(reply.__aenter__())
        try:
            async with (
                aclosing(opened.iter_bytes()) as body,
                aclosing(self._pieces(body)) as pieces,
            ):
                async for piece in pieces:
                    yield piece
        finally:
            await reply.__aexit__(None, None, None)

    def _refused(self, exc: Exception) -> EngineError | None:
        reply = refusal(exc)
        if reply is None:
            return None
        body = parsed(reply.content)
        return status_error(reply.status_code, body, reply.headers, self.where, self.secret)


def refusal(exc: BaseException | None) -> httpx2.Response | None:
    """The reply with a status of 300 or more that an exception of the SDK stands for."""
    return exc.response if isinstance(exc, openai.APIStatusError) else None
