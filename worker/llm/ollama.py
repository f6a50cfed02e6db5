"""Ollama's native API: one prompt in, one completion or one typed error out.

Only `/api/chat` is used: the OpenAI-compatible route of Ollama ignores `num_ctx`.
"""

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx  # noqa: TID251 - this is the module that talks HTTP to Ollama
from httpx_aiohttp import AiohttpTransport

from models.errors import ConfigError
from worker.llm.engine import Completion, EngineError, Health, Request, Trouble
from worker.llm.faults import brief, fault, place
from worker.llm.ollama_replies import completion, refusal

DEFAULT_PORT = 11434  # https://github.com/ollama/ollama/blob/main/docs/faq.md

# Below the 5 s after which the shortest-lived servers (uvicorn) drop an idle connection, so that
# a request is never sent into a connection that is just being closed.
_KEEPALIVE_S = 4.0
_HEALTH_TIMEOUT_S = 10.0


def base_url(host: str) -> str:
    """The URL of an Ollama server, from what people put into OLLAMA_HOST.

    `host`, `host:port`, a bare IPv6 address, a URL with or without a path and a trailing slash
    all work; the port defaults to 11434, or to the scheme's own where a scheme is written. The
    listening address 0.0.0.0 (or ::) becomes the loopback address, for nobody can call it.
    Raises ConfigError where the text is no address.
    """
    try:
        return _url(host)
    except ValueError as exc:
        said = f"Ollama's address {host!r} cannot be read ({exc}): write host:port or a URL"
        raise ConfigError(said) from exc


def _url(host: str) -> str:
    text = host.strip().strip("\"'") or "127.0.0.1"
    has_scheme = "://" in text
    if not has_scheme and text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    parts = urlsplit(text if has_scheme else f"http://{text}")
    name = _callable_name(parts.hostname or "127.0.0.1")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"unknown scheme {parts.scheme}")
    port = parts.port or (None if has_scheme else DEFAULT_PORT)
    user = parts.netloc.rpartition("@")[0]
    netloc = f"{user}@{name}" if user else name
    netloc += f":{port}" if port else ""
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


def _callable_name(hostname: str) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(hostname, hostname)  # noqa: S104 - read, not bound
    return f"[{name}]" if ":" in name else name


def _names(models: object) -> tuple[str, ...]:
    listed = models if isinstance(models, list) else []
    return tuple(
        str(model["name"]) for model in listed if isinstance(model, dict) and "name" in model
    )


class OllamaEngine:
    """An Ollama server (0.12.6 or newer, for `truncate`).

    `url` is anything that `base_url` reads. `timeout_s` is the limit for a whole call, in
    seconds; closing the connection frees the server's slot. `keep_alive` is how long the server
    keeps a model loaded after a call. `max_connections` bounds the pool and must not be below
    the slots in use.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 600.0,
        keep_alive: str = "30m",
        connect_timeout_s: float = 5.0,
        max_connections: int = 256,
    ) -> None:
        self._url = base_url(url)
        self._where = f"Ollama at {place(self._url)}"
        self._timeout_s = timeout_s
        self._keep_alive = keep_alive
        limits = httpx.Limits(max_connections=max_connections, keepalive_expiry=_KEEPALIVE_S)
        # No proxy from the environment: private texts go to this address and nowhere else.
        self._client = httpx.AsyncClient(
            base_url=self._url,
            transport=AiohttpTransport(limits=limits, trust_env=False),
            timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s),
            trust_env=False,
        )

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        started = time.perf_counter()
        response = await self._send("POST", "/api/chat", self._timeout_s, self._body(request))
        latency_ms = round((time.perf_counter() - started) * 1000)
        if response.status_code != httpx.codes.OK:
            raise refusal(response.status_code, response.text, response.headers, self._where)
        return completion(response.content, request, latency_ms, self._where)

    async def health(self) -> Health:
        """Version and installed models; never raises."""
        try:
            version = await self._get("/api/version")
            tags = await self._get("/api/tags")
        except EngineError as exc:
            return Health(ok=False, detail=str(exc))
        names = _names(tags.get("models"))
        detail = f"{self._where} answers, {len(names)} models"
        return Health(ok=True, detail=detail, models=names, version=str(version.get("version")))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _body(self, request: Request) -> dict[str, Any]:
        body = {
            "model": request.model_name,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "stream": False,
            "options": {
                "num_ctx": request.context_tokens,
                "num_predict": request.max_tokens,
                "temperature": request.temperature,
                "seed": 0,
            },
            # Without it an over-long prompt is cut in silence and answered all the same.
            "truncate": False,
            # Unset means true: free thinking first, whose tokens nobody reports.
            "think": False,
            "keep_alive": self._keep_alive,
        }
        return body if request.schema is None else {**body, "format": dict(request.schema)}

    async def _get(self, path: str) -> dict[str, Any]:
        response = await self._send("GET", path, _HEALTH_TIMEOUT_S)
        if response.status_code != httpx.codes.OK:
            raise refusal(response.status_code, response.text, response.headers, self._where)
        try:
            found = json.loads(response.content)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        said = (
            f"{self._where}: {path} is not JSON, is this an Ollama server? {brief(response.text)}"
        )
        raise EngineError(Trouble.SERVER_ERROR, said)

    async def _send(
        self, method: str, path: str, limit_s: float, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        if self._client.is_closed:
            raise EngineError(Trouble.UNAVAILABLE, f"{self._where}: this engine has been closed")
        try:
            async with asyncio.timeout(limit_s):
                return await self._client.request(method, path, json=body)
        except Exception as exc:  # the border: whatever the network stack raises ends here
            raise fault(exc, self._where) from exc
