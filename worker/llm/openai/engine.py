"""Any OpenAI-compatible server: one prompt in, one completion or one typed error out."""

import time
from collections.abc import Awaitable
from typing import Any

import httpx2
import openai  # noqa: TID251 - this is the module that talks through the SDK

from worker.llm.engine import Completion, EngineError, Health, Request, Told, Trouble
from worker.llm.faults import fault, place
from worker.llm.network import CONNECT_TIMEOUT_S, account, sdk_client, sendable, within
from worker.llm.openai.dialect import Dialect
from worker.llm.openai.errors import parsed, status_error
from worker.llm.openai.replies import completion, model_names
from worker.llm.openai.told import GREETING, by_llama_server, vllms_template, vllms_window
from worker.llm.wordings import is_page

_HEALTH_TIMEOUT_S = 10.0
# Servers that want no key (llama-server, vLLM) ignore this; the SDK insists on one.
_NO_KEY = "none"


class OpenAIEngine:
    """A server that speaks OpenAI's chat completions.

    `base_url` ends where `/chat/completions` begins. `timeout_s` is the limit for a whole call,
    in seconds. `max_connections` bounds the pool and must not be below the calls in flight.
    `proxied` heeds HTTP_PROXY, SSL_CERT_FILE and their like; False sends to this address and
    nowhere else: so it is with a server of one's own, which takes seeds and tells of its models.
    Raises ConfigError where key, proxy or certificates cannot be used.
    Nothing is retried here, except that a request which its model refuses for a field that it
    does not know is sent once more without; what was learnt is kept as long as the engine lives.
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
        self._dialect = Dialect(seeds=not proxied)
        self._in_the_building = not proxied
        timeout = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        address = httpx2.URL(base_url)
        self._client = openai.AsyncOpenAI(
            api_key=sendable(api_key or _NO_KEY, "FRONTIER_API_KEY"),
            base_url=address.copy_with(userinfo=b""),
            default_headers=account(address),
            timeout=timeout,
            max_retries=0,
            http_client=sdk_client(
                openai.DefaultAioHttpClient, address, timeout, max_connections, proxied=proxied
            ),
        )
        # The SDK takes these from variables that are meant for OpenAI's own service.
        self._client.organization = self._client.project = None

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        while True:
            body = self._dialect.body(request)
            started = time.perf_counter()
            try:
                raw = await self._send(self._create(body, request), self._timeout_s)
            except EngineError as exc:
                if self._learnt(request, body, exc):
                    continue
                raise
            latency_ms = round((time.perf_counter() - started) * 1000)
            return completion(raw.content, raw.headers, latency_ms, self._where, self._secret)

    async def health(self) -> Health:
        """The models on offer; never raises. Costs nothing."""
        try:
            raw = await self._send(self._models(), _HEALTH_TIMEOUT_S)
            names = model_names(raw.content, self._where)
        except EngineError as exc:
            # Not every gateway lists its models; one that says so, and not with a page, is alive.
            alive = exc.status in (404, 405) and not _is_page(exc.__cause__)
            detail = f"lists no models: {exc}" if alive else str(exc)
            return Health(ok=alive, detail=detail, trouble=None if alive else exc.trouble)
        return Health(ok=True, detail=f"{self._where} answers, {len(names)} models", models=names)

    async def tell(self, model: str) -> Told:
        """What llama-server (`/props`) and vLLM (`/models`, `/tokenize`) tell of a model. Costs
        nothing. Raises EngineError where nobody answers."""
        if not self._in_the_building:
            return Told()
        root = str(self._client.base_url).rstrip("/").removesuffix("/v1")
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
        call = (
            self._client.get(url, cast_to=httpx2.Response)
            if method == "GET"
            else self._client.post(url, body=body, cast_to=httpx2.Response)
        )
        try:
            raw = await self._send(call, _HEALTH_TIMEOUT_S)
        except EngineError as exc:
            if exc.status is None:
                raise
            return None
        return parsed(raw.content)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _models(self) -> Any:
        return await self._client.models.with_raw_response.list()

    async def _create(self, body: dict[str, Any], request: Request) -> Any:
        key = request.idempotency_key
        create = self._client.chat.completions.with_raw_response.create
        return await create(**body, extra_headers={"Idempotency-Key": key} if key else None)

    def _learnt(self, request: Request, body: dict[str, Any], exc: EngineError) -> bool:
        cause = exc.__cause__
        if not isinstance(cause, openai.APIStatusError):
            return False
        return self._dialect.learn(request, body, exc.trouble, parsed(cause.response.content))

    async def _send(self, call: Awaitable[Any], limit_s: float) -> Any:
        return await within(limit_s, call, self._error, self._secret)

    def _error(self, exc: Exception) -> EngineError:
        if self._client.is_closed():
            return EngineError(Trouble.UNAVAILABLE, f"{self._where}: this engine has been closed")
        if not isinstance(exc, openai.APIStatusError):
            return fault(exc, self._where, self._secret)
        reply = exc.response
        body = parsed(reply.content)
        return status_error(exc.status_code, body, reply.headers, self._where, self._secret)


def _is_page(exc: BaseException | None) -> bool:
    return isinstance(exc, openai.APIStatusError) and is_page(exc.response.text)
