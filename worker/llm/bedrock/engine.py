"""AWS Bedrock's Converse: one prompt in, one completion or one typed error out."""

import time
from http import HTTPStatus
from urllib.parse import quote

from worker.llm.bedrock import KEY_NAME
from worker.llm.bedrock.dialect import Dialect
from worker.llm.bedrock.errors import refusal, said_in
from worker.llm.bedrock.replies import CHECK, completion
from worker.llm.bedrock.wire import Reply, Signer, Wire
from worker.llm.bodies import encoded, object_in
from worker.llm.engine import Completion, EngineError, Health, Request, Trouble
from worker.llm.network import CONNECT_TIMEOUT_S, sendable

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


class BedrockEngine:
    """AWS Bedrock at one address. The arguments are those of its Wire.

    Nothing is retried here, except that a request which its model refuses for a field that it does
    not know is sent once more without; what was learnt is kept in `dialect`, its own or one that it
    shares.
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
        dialect: Dialect | None = None,
    ) -> None:
        self._wire = Wire(
            "Bedrock",
            address,
            sign,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            max_connections=max_connections,
            proxied=proxied,
        )
        self._dialect = dialect or Dialect()

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        wire = self._wire
        path = f"model/{quote(request.model_name, safe='')}/converse"
        while True:
            body = self._dialect.body(request)
            started = time.perf_counter()
            reply = await wire.send("POST", path, encoded(body, wire.where))
            latency_ms = round((time.perf_counter() - started) * 1000)
            if reply.status == HTTPStatus.OK:
                return completion(reply.body, request.model_name, latency_ms, wire.where)
            error = self._refusal(reply)
            said = said_in(reply.headers, reply.body)
            if not self._dialect.learn(request, body, error.trouble, said):
                raise error

    async def health(self) -> Health:
        """Whether it answers and knows who asks; never raises. It does not say which models this
        account may use."""
        where = self._wire.where
        try:
            reply = await self._wire.send("GET", _ASYNC_INVOKES, limit_s=_HEALTH_TIMEOUT_S)
            if reply.status != HTTPStatus.OK:
                raise self._refusal(reply)
            object_in(reply.body, where, check=CHECK)
        except EngineError as exc:
            # Who may not list that may well ask models.
            alive = exc.trouble in (Trouble.MODEL_NOT_FOUND, Trouble.RATE_LIMITED)
            if not alive:
                return Health(ok=False, detail=str(exc), trouble=exc.trouble)
        return Health(ok=True, detail=f"{where} answers")

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    def _refusal(self, reply: Reply) -> EngineError:
        said = said_in(reply.headers, reply.body)
        return refusal(reply.status, said, reply.headers, self._wire.where, reply.secret)
