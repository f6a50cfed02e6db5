"""Anthropic's Messages API: one prompt in, one completion or one typed error out."""

import time
from typing import Any

from worker.llm.anthropic.client import Client, refusal_behind
from worker.llm.anthropic.dialect import Dialect
from worker.llm.anthropic.errors import said_in
from worker.llm.anthropic.replies import completion, model_names
from worker.llm.engine import Completion, EngineError, Health, Request
from worker.llm.wordings import is_page

_HEALTH_TIMEOUT_S = 10.0
_MOST_MODELS = 1000
"""The longest page of the listing."""


class AnthropicEngine:
    """A server that speaks Anthropic's Messages. The arguments are those of its Client.

    Nothing is retried here, except that a request which its model refuses for a part that it does
    not take is sent once more without; what was learnt is kept in `dialect`, its own or one that it
    shares.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout_s: float = 600.0,
        max_connections: int = 256,
        proxied: bool = True,
        dialect: Dialect | None = None,
    ) -> None:
        self._client = Client(
            base_url,
            api_key,
            timeout_s=timeout_s,
            max_connections=max_connections,
            proxied=proxied,
        )
        self._dialect = dialect or Dialect()

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        client = self._client
        while True:
            body = self._dialect.body(request)
            started = time.perf_counter()
            try:
                raw = await client.send(self._create(body))
            except EngineError as exc:
                if self._learnt(request, body, exc):
                    continue
                raise
            latency_ms = round((time.perf_counter() - started) * 1000)
            content, headers = raw.http_response.content, raw.headers
            return completion(content, headers, latency_ms, client.where, client.secret)

    async def health(self) -> Health:
        """The models on offer; never raises. Costs nothing."""
        client = self._client
        try:
            raw = await client.send(self._models(), _HEALTH_TIMEOUT_S)
            names = model_names(raw.http_response.content, client.where)
        except EngineError as exc:
            # Not every gateway lists its models; one that says so, and not with a page, is alive.
            alive = exc.status in (404, 405) and not _is_page(refusal_behind(exc))
            detail = f"lists no models: {exc}" if alive else str(exc)
            return Health(ok=alive, detail=detail, trouble=None if alive else exc.trouble)
        return Health(ok=True, detail=f"{client.where} answers, {len(names)} models", models=names)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _create(self, body: dict[str, Any]) -> Any:
        # Without a limit of the call's own the SDK refuses answers that may take ten minutes.
        create = self._client.sdk.messages.with_raw_response.create
        return await create(**body, timeout=self._client.timeout)

    async def _models(self) -> Any:
        return await self._client.sdk.models.with_raw_response.list(limit=_MOST_MODELS)

    def _learnt(self, request: Request, body: dict[str, Any], exc: EngineError) -> bool:
        said = refusal_behind(exc)
        return said is not None and self._dialect.learn(
            request, body, exc.trouble, said_in(said).message
        )


def _is_page(body: object) -> bool:
    return isinstance(body, str) and is_page(body)
