"""Any OpenAI-compatible server: one prompt in, one completion or one typed error out."""

import time
from typing import Any

import httpx2

from worker.llm.engine import Completion, EngineError, Health, Request, Told
from worker.llm.openai.client import Client, refusal
from worker.llm.openai.dialect import Dialect
from worker.llm.openai.errors import parsed
from worker.llm.openai.replies import completion, model_names
from worker.llm.openai.told import GREETING, by_llama_server, vllms_template, vllms_window
from worker.llm.wordings import is_page

_HEALTH_TIMEOUT_S = 10.0


class OpenAIEngine:
    """A server that speaks OpenAI's chat completions.

    `base_url` ends where `/chat/completions` begins. `timeout_s` is the limit for a whole call,
    in seconds. `max_connections` bounds the pool and must not be below the calls in flight.
    `proxied` heeds HTTP_PROXY, SSL_CERT_FILE and their like; False sends to this address and
    nowhere else: so it is with a server of one's own, which takes seeds and tells of its models.
    Raises ConfigError where key, proxy or certificates cannot be used.
    Nothing is retried here, except that a request which its model refuses for a field that it
    does not know is sent once more without; what was learnt is kept in `dialect`, its own or one
    that it shares.
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
        self._in_the_building = not proxied
        self._dialect = dialect or Dialect(seeds=self._in_the_building)
        self._client = Client(
            base_url,
            api_key,
            timeout_s=timeout_s,
            max_connections=max_connections,
            proxied=proxied,
        )

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        while True:
            body = self._dialect.body(request)
            started = time.perf_counter()
            try:
                raw = await self._client.send(self._create(body, request))
            except EngineError as exc:
                if self._learnt(request, body, exc):
                    continue
                raise
            latency_ms = round((time.perf_counter() - started) * 1000)
            where, secret = self._client.where, self._client.secret
            return completion(raw.content, raw.headers, latency_ms, where, secret)

    async def health(self) -> Health:
        """The models on offer; never raises. Costs nothing."""
        try:
            raw = await self._client.send(self._models(), _HEALTH_TIMEOUT_S)
            names = model_names(raw.content, self._client.where)
        except EngineError as exc:
            # Not every gateway lists its models; one that says so, and not with a page, is alive.
            alive = exc.status in (404, 405) and not _is_page(exc.__cause__)
            detail = f"lists no models: {exc}" if alive else str(exc)
            return Health(ok=alive, detail=detail, trouble=None if alive else exc.trouble)
        said = f"{self._client.where} answers, {len(names)} models"
        return Health(ok=True, detail=said, models=names)

    async def tell(self, model: str) -> Told:
        """What llama-server (`/props`) and vLLM (`/models`, `/tokenize`) tell of a model. Costs
        nothing. Raises EngineError where nobody answers."""
        if not self._in_the_building:
            return Told()
        root = self._client.root
        told = by_llama_server(await self._said("GET", f"{root}/props"))
        if told is not None:
            return told
        window = vllms_window(await self._said("GET", "models"), model)
        if window is None:
            return Told()
        asked = {"model": model, "messages": [GREETING], "return_token_strs": True}
        return Told(vllms_template(await self._said("POST", f"{root}/tokenize", asked)), window)

    async def _said(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON of a reply; None: it is none, or a refusal."""
        sdk = self._client.sdk
        call = (
            sdk.get(url, cast_to=httpx2.Response)
            if method == "GET"
            else sdk.post(url, body=body, cast_to=httpx2.Response)
        )
        try:
            raw = await self._client.send(call, _HEALTH_TIMEOUT_S)
        except EngineError as exc:
            if exc.status is None:
                raise
            return None
        return parsed(raw.content)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _models(self) -> Any:
        return await self._client.sdk.models.with_raw_response.list()

    async def _create(self, body: dict[str, Any], request: Request) -> Any:
        key = request.idempotency_key
        create = self._client.sdk.chat.completions.with_raw_response.create
        return await create(**body, extra_headers={"Idempotency-Key": key} if key else None)

    def _learnt(self, request: Request, body: dict[str, Any], exc: EngineError) -> bool:
        reply = refusal(exc.__cause__)
        if reply is None:
            return False
        return self._dialect.learn(request, body, exc.trouble, parsed(reply.content))


def _is_page(exc: BaseException | None) -> bool:
    reply = refusal(exc)
    return reply is not None and is_page(reply.text)
