"""Anthropic's SDK at one address: what is sent through it, and what its errors mean."""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from typing import Any

import anthropic  # noqa: TID251 - this is the module that talks through the SDK
import httpx2

from worker.llm.anthropic import KEY_NAME
from worker.llm.anthropic.errors import status_error
from worker.llm.engine import EngineError
from worker.llm.network import in_pieces
from worker.llm.sdk import SdkClient


class Client(SdkClient[anthropic.AsyncAnthropic]):
    """Requests to a server that speaks Anthropic's API. `base_url` ends where `/v1` begins."""

    KEY_NAME = KEY_NAME
    POOLED = anthropic.DefaultAioHttpClient
    ONE_BY_ONE = anthropic.DefaultAsyncHttpxClient

    def _made(
        self, key: str, address: httpx2.URL, headers: Mapping[str, str], http: httpx2.AsyncClient
    ) -> anthropic.AsyncAnthropic:
        sdk = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=address,
            max_retries=0,
            open_telemetry=False,  # what is asked and answered goes to nobody else
            http_client=http,
        )
        # The SDK adds those of ANTHROPIC_CUSTOM_HEADERS, which are meant for Anthropic's own
        # service and not for whatever stands at this address.
        sdk._custom_headers = headers
        return sdk

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
        """The body of what is at a path, as it comes. Raises EngineError, and nothing else of the
        network's."""
        call = self.sdk.get(
            path,
            cast_to=httpx2.Response,
            options={"timeout": self.timeout},
            stream=True,
            stream_cls=anthropic.AsyncStream[Any],
        )
        response = await self.send(call)
        try:
            async with aclosing(self._pieces(response.aiter_bytes())) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            await response.aclose()

    def _refused(self, exc: Exception) -> EngineError | None:
        if not isinstance(exc, anthropic.APIStatusError):
            return None
        headers = exc.response.headers
        return status_error(exc.status_code, exc.body, headers, self.where, self.secret)


def refusal_behind(error: EngineError) -> object:
    """The body of the refusal that an error came from, its JSON or its text; None: there is none,
    or it repeats the key."""
    cause = error.__cause__
    return cause.body if isinstance(cause, anthropic.APIStatusError) else None
