"""Anthropic's Messages API: one prompt in, one completion or one typed error out."""

import time
from collections.abc import Awaitable
from typing import Any

import anthropic  # noqa: TID251 - this is the module that talks through the SDK
import httpx2

from worker.llm.anthropic import KEY_NAME
from worker.llm.anthropic.dialect import Dialect
from worker.llm.anthropic.errors import said_in, status_error
from worker.llm.anthropic.replies import completion, model_names
from worker.llm.engine import Completion, EngineError, Health, Request, Trouble
from worker.llm.faults import fault, place
from worker.llm.network import CONNECT_TIMEOUT_S, account, sdk_client, sendable, within
from worker.llm.wordings import is_page

_HEALTH_TIMEOUT_S = 10.0
_MOST_MODELS = 1000
"""The longest page of the listing."""
_NO_KEY = "none"
"""For servers that want none. The SDK would look for keys and log-ins of its own."""


class AnthropicEngine:
    """A server that speaks Anthropic's Messages.

    `base_url` ends where `/v1/messages` begins. `timeout_s` is the limit for a whole call, in
    seconds. `max_connections` bounds the pool and must not be below the calls in flight. `proxied`
    heeds HTTP_PROXY, SSL_CERT_FILE and their like; False sends to this address and nowhere else.
    Raises ConfigError where key, proxy or certificates cannot be used.
    Nothing is retried here, except that a request which its model refuses for a part that it does
    not take is sent once more without; what was learnt is kept as long as the engine lives.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout_s: float = 600.0,
        max_connections: int = 256,
        proxied: bool = True,
    ) -> None:
        self._where = place(base_url)
        self._secret = api_key or ""
        self._timeout_s = timeout_s
        self._timeout = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._dialect = Dialect()
        address = httpx2.URL(base_url)
        self._client = anthropic.AsyncAnthropic(
            api_key=sendable(api_key or _NO_KEY, KEY_NAME),
            base_url=address.copy_with(userinfo=b""),
            max_retries=0,
            open_telemetry=False,  # what is asked and answered goes to nobody else
            http_client=sdk_client(
                anthropic.DefaultAioHttpClient,
                address,
                self._timeout,
                max_connections,
                proxied=proxied,
            ),
        )
        # The SDK adds those of ANTHROPIC_CUSTOM_HEADERS, which are meant for Anthropic's own
        # service and not for whatever stands at this address.
        self._client._custom_headers = account(address)

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        while True:
            body = self._dialect.body(request)
            started = time.perf_counter()
            try:
                raw = await self._send(self._create(body), self._timeout_s)
            except EngineError as exc:
                if self._learnt(request, body, exc):
                    continue
                raise
            latency_ms = round((time.perf_counter() - started) * 1000)
            content, headers = raw.http_response.content, raw.headers
            return completion(content, headers, latency_ms, self._where, self._secret)

    async def health(self) -> Health:
        """The models on offer; never raises. Costs nothing."""
        try:
            raw = await self._send(self._models(), _HEALTH_TIMEOUT_S)
            names = model_names(raw.http_response.content, self._where)
        except EngineError as exc:
            # Not every gateway lists its models; one that says so, and not with a page, is alive.
            alive = exc.status in (404, 405) and not _is_page(exc.__cause__)
            detail = f"lists no models: {exc}" if alive else str(exc)
            return Health(ok=alive, detail=detail, trouble=None if alive else exc.trouble)
        return Health(ok=True, detail=f"{self._where} answers, {len(names)} models", models=names)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _create(self, body: dict[str, Any]) -> Any:
        # Without a limit of the call's own the SDK refuses answers that may take ten minutes.
        create = self._client.messages.with_raw_response.create
        return await create(**body, timeout=self._timeout)

    async def _models(self) -> Any:
        return await self._client.models.with_raw_response.list(limit=_MOST_MODELS)

    def _learnt(self, request: Request, body: dict[str, Any], exc: EngineError) -> bool:
        cause = exc.__cause__
        if not isinstance(cause, anthropic.APIStatusError):
            return False
        return self._dialect.learn(request, body, exc.trouble, said_in(cause.body).message)

    async def _send(self, call: Awaitable[Any], limit_s: float) -> Any:
        return await within(limit_s, call, self._error, self._secret)

    def _error(self, exc: Exception) -> EngineError:
        if self._client.is_closed():
            return EngineError(Trouble.UNAVAILABLE, f"{self._where}: this engine has been closed")
        if not isinstance(exc, anthropic.APIStatusError):
            return fault(exc, self._where, self._secret)
        headers = exc.response.headers
        return status_error(exc.status_code, exc.body, headers, self._where, self._secret)


def _is_page(exc: BaseException | None) -> bool:
    return isinstance(exc, anthropic.APIStatusError) and is_page(exc.response.text)
