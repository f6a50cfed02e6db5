"""AWS Bedrock's Converse: one prompt in, one completion or one typed error out."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote

import aiohttp
import httpx2
from yarl import URL

from worker.llm.bedrock import KEY_NAME
from worker.llm.bedrock.dialect import Dialect
from worker.llm.bedrock.errors import Said, refusal
from worker.llm.bedrock.replies import CHECK, completion
from worker.llm.bodies import object_in
from worker.llm.engine import Completion, EngineError, Health, Request, Trouble
from worker.llm.faults import fault, place
from worker.llm.network import CONNECT_TIMEOUT_S, proxy_for, sendable, session, trusted

Signer = Callable[[str, str, bytes], dict[str, str]]
"""The headers for a method, a URL and a body. May block; raises EngineError."""

_ASYNC_INVOKES = "async-invoke?maxResults=1"
"""The one question of the runtime's API that costs nothing and asks no model."""

_HEALTH_TIMEOUT_S = 10.0


def address_in(region: str) -> str:
    """Where Bedrock answers in a region."""
    return f"https://bedrock-runtime.{region}.amazonaws.com"


def bearer(key: str) -> Signer:
    """Signs with an API key of Bedrock's own
    (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html). Raises ConfigError."""
    headers = {
        "Authorization": f"Bearer {sendable(key, KEY_NAME)}",
        "Content-Type": "application/json",
    }
    return lambda method, url, body: headers


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whole. `secret`: what of the request must never be shown."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    secret: str = field(repr=False)

    @property
    def said(self) -> Said:
        """What an error says."""
        return Said(self.headers, self.body)


class BedrockEngine:
    """AWS Bedrock at one address.

    `sign` says who asks; it is called in a thread. `timeout_s` is the limit for an answer, in
    seconds, and for credentials. `max_connections` bounds the pool and must not be below the calls
    in flight. `proxied` heeds HTTPS_PROXY, SSL_CERT_FILE and their like. Raises ConfigError where
    these cannot be used. Nothing is retried here, except that a request which its model refuses for
    a field that it does not know is sent once more without; what was learnt is kept as long as the
    engine lives.
    """

    def __init__(
        self,
        address: str,
        sign: Signer,
        *,
        timeout_s: float = 600.0,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        max_connections: int = 256,
        proxied: bool = True,
    ) -> None:
        self._where = f"Bedrock at {place(address)}"
        self._address = str(URL(address.rstrip("/")).with_user(None))
        self._sign = sign
        self._timeout_s = timeout_s
        self._dialect = Dialect()
        self._proxy = proxy_for(httpx2.URL(address)) if proxied else None
        self._trusted = trusted(heed_environment=proxied)
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout_s)
        self._max_connections = max_connections
        self._signing = ThreadPoolExecutor(1, "bedrock-signing")
        self._open: aiohttp.ClientSession | None = None
        self._closed = False

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        path = f"model/{quote(request.model_name, safe='')}/converse"
        while True:
            body = self._dialect.body(request)
            started = time.perf_counter()
            reply = await self._send("POST", path, self._timeout_s, body)
            latency_ms = round((time.perf_counter() - started) * 1000)
            if reply.status == HTTPStatus.OK:
                return completion(reply.body, request.model_name, latency_ms, self._where)
            error = self._refusal(reply)
            if not self._dialect.learn(request, body, error.trouble, reply.said):
                raise error

    async def health(self) -> Health:
        """Whether it answers and knows who asks; never raises. It does not say which models this
        account may use."""
        try:
            reply = await self._send("GET", _ASYNC_INVOKES, _HEALTH_TIMEOUT_S)
            if reply.status != HTTPStatus.OK:
                raise self._refusal(reply)
            object_in(reply.body, self._where, check=CHECK)
        except EngineError as exc:
            # Who may not list that may well ask models.
            alive = exc.trouble in (Trouble.MODEL_NOT_FOUND, Trouble.RATE_LIMITED)
            if not alive:
                return Health(ok=False, detail=str(exc), trouble=exc.trouble)
        return Health(ok=True, detail=f"{self._where} answers")

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        self._signing.shutdown(wait=False, cancel_futures=True)
        if self._open is not None:
            await self._open.close()

    def _refusal(self, reply: Reply) -> EngineError:
        return refusal(reply.status, reply.said, reply.headers, self._where, reply.secret)

    async def _send(self, method: str, path: str, limit_s: float, body: object = None) -> Reply:
        if self._closed:
            raise EngineError(Trouble.UNAVAILABLE, f"{self._where}: this engine has been closed")
        url = f"{self._address}/{path}"
        try:
            content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
            headers = await self._signed(method, url, content, limit_s)
            async with asyncio.timeout(limit_s):
                return await self._exchange(method, url, content, headers)
        except EngineError:
            raise
        except Exception as exc:  # the border: whatever the network stack raises ends here
            raise fault(exc, self._where) from exc

    async def _signed(
        self, method: str, url: str, content: bytes, limit_s: float
    ) -> dict[str, str]:
        # In a thread: credentials may have to be fetched or renewed. Nothing has been sent yet.
        work = asyncio.get_running_loop().run_in_executor(
            self._signing, self._sign, method, url, content
        )
        try:
            async with asyncio.timeout(limit_s):
                return await work
        except TimeoutError as exc:
            said = (
                f"{self._where}: no AWS credentials within {limit_s:g} s, look at what gives them"
            )
            raise EngineError(Trouble.AUTH, said) from exc

    async def _exchange(
        self, method: str, url: str, content: bytes, headers: dict[str, str]
    ) -> Reply:
        async with self._session().request(
            method,
            URL(url, encoded=True),  # exactly as it was signed
            data=content or None,
            headers=headers,
            allow_redirects=False,
            proxy=self._proxy,
        ) as response:
            # AWS repeats what was signed, session token included, where a signature is wrong.
            secret = f"{headers.get('X-Amz-Security-Token', '')} {headers['Authorization']}"
            return Reply(response.status, response.headers, await response.read(), secret)

    def _session(self) -> aiohttp.ClientSession:
        """Made at the first call, for it belongs to the running loop."""
        if self._open is None:
            self._open = session(self._max_connections, self._timeout, trusted=self._trusted)
        return self._open
