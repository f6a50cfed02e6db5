"""Ollama's native API: one prompt in, one completion or one typed error out.

Only `/api/chat` is used: the OpenAI-compatible route of Ollama ignores `num_ctx`.
"""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from yarl import URL

from models.errors import ConfigError
from worker.llm.engine import (
    Completion,
    EngineError,
    Health,
    Message,
    Request,
    Told,
    Trouble,
)
from worker.llm.faults import brief, fault, place
from worker.llm.network import session
from worker.llm.ollama.replies import completion, refusal, shown

DEFAULT_PORT = 11434  # https://github.com/ollama/ollama/blob/main/docs/faq.md

_CHAT, _VERSION, _TAGS, _SHOW = "api/chat", "api/version", "api/tags", "api/show"

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
    except ValueError:  # its message may repeat a part of the password
        said = f"Ollama's address {place(host)!r} cannot be read: write host:port or a URL"
        raise ConfigError(said) from None


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


def _digests(models: object) -> dict[str, str]:
    listed = models if isinstance(models, list) else []
    return {
        str(model["name"]): str(model.get("digest", ""))
        for model in listed
        if isinstance(model, dict) and "name" in model
    }


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        turn["images"] = [b64encode(image).decode() for image in message.images]
    return turn


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # a whole number beyond 64 bits, or what cannot be sent at all
        return json.dumps(body, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")


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
        address = URL(self._url)
        self._account = _account(address)
        paths = (_CHAT, _VERSION, _TAGS, _SHOW)
        self._paths = {path: address.with_user(None) / path for path in paths}
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout_s)
        self._max_connections = max_connections
        self._open: aiohttp.ClientSession | None = None
        self._closed = False

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        started = time.perf_counter()
        reply = await self._send("POST", _CHAT, self._timeout_s, self._body(request))
        latency_ms = round((time.perf_counter() - started) * 1000)
        if reply.status != HTTPStatus.OK:
            raise refusal(reply.status, reply.text, reply.headers, self._where)
        return completion(reply.body, request, latency_ms, self._where)

    async def health(self) -> Health:
        """Version and installed models; never raises."""
        try:
            version = await self._get(_VERSION)
            tags = await self._get(_TAGS)
        except EngineError as exc:
            return Health(ok=False, detail=str(exc), trouble=exc.trouble)
        digests = _digests(tags.get("models"))
        return Health(
            ok=True,
            detail=f"{self._where} answers, {len(digests)} models",
            models=tuple(digests),
            version=str(version.get("version")),
            digests=digests,
        )

    async def tell(self, model: str) -> Told:
        """What the files of a model say. Costs nothing. Raises EngineError."""
        reply = await self._send("POST", _SHOW, _HEALTH_TIMEOUT_S, {"model": model})
        if reply.status != HTTPStatus.OK:
            raise refusal(reply.status, reply.text, reply.headers, self._where)
        return shown(self._object(reply, _SHOW))

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        if self._open is not None:
            await self._open.close()

    def _body(self, request: Request) -> dict[str, Any]:
        body = {
            "model": request.model_name,
            "messages": [_turn(message) for message in request.messages],
            "stream": False,
            "options": {
                "num_ctx": request.context_tokens,
                "num_predict": request.max_tokens,
                "temperature": request.temperature,
                "seed": request.seed,
            },
            # Without it an over-long prompt is cut in silence and answered all the same.
            "truncate": False,
            "keep_alive": self._keep_alive,
        }
        # Unset means true: free thinking first, whose tokens nobody reports.
        thinking = {} if request.think is None else {"think": request.think}
        form = {} if request.schema is None else {"format": dict(request.schema)}
        likely = {"logprobs": True} if request.logprobs else {}
        return {**body, **thinking, **form, **likely}

    async def _get(self, path: str) -> dict[str, Any]:
        reply = await self._send("GET", path, _HEALTH_TIMEOUT_S)
        if reply.status != HTTPStatus.OK:
            raise refusal(reply.status, reply.text, reply.headers, self._where)
        return self._object(reply, path)

    def _object(self, reply: Reply, path: str) -> dict[str, Any]:
        try:
            found = json.loads(reply.body)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        said = f"/{path} is not JSON, is this an Ollama server? {brief(reply.text)}"
        raise EngineError(Trouble.MISCONFIGURED, f"{self._where}: {said}")

    async def _send(
        self, method: str, path: str, limit_s: float, body: dict[str, Any] | None = None
    ) -> Reply:
        if self._closed:
            raise EngineError(Trouble.UNAVAILABLE, f"{self._where}: this engine has been closed")
        try:
            async with asyncio.timeout(limit_s):
                return await self._exchange(method, path, body)
        except Exception as exc:  # the border: whatever the network stack raises ends here
            raise fault(exc, self._where) from exc

    async def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> Reply:
        # aiohttp itself: the requests and responses that httpx would put around it cost as much
        # CPU again as the exchange (benchmarks/README.md).
        async with self._session().request(
            method,
            self._paths[path],
            data=None if body is None else _encoded(body),
            allow_redirects=False,
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    def _session(self) -> aiohttp.ClientSession:
        """Made at the first call, for it belongs to the running loop. No proxy from the
        environment: private texts go to this address and nowhere else."""
        if self._open is None:
            self._open = session(
                self._max_connections,
                self._timeout,
                headers={"content-type": "application/json"},
                auth=self._account,
            )
        return self._open


def _account(address: URL) -> aiohttp.BasicAuth | None:
    """Of a server that wants a user and a password, from its URL."""
    if address.user is None and address.password is None:
        return None
    try:
        return aiohttp.BasicAuth(address.user or "", address.password or "", "utf-8")
    except ValueError:
        raise ConfigError("the user in Ollama's address must not contain a colon") from None
