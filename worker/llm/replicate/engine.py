"""Replicate: one prompt in, one prediction made and seen to its end, one completion or error out.

Plain HTTP (https://replicate.com/docs/reference/http). A prediction outlives the connection that
made it, and costs until it ends. So whoever leaves cancels it first; where nobody is left to do
that, its own deadline ends it.
"""

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx2
from yarl import URL

from worker.llm.engine import Completion, Concern, EngineError, Health, Request, Trouble
from worker.llm.faults import fault, mentions, place
from worker.llm.network import CONNECT_TIMEOUT_S, proxy_for, sendable, session, trusted
from worker.llm.replicate import KEY_NAME
from worker.llm.replicate.inputs import USUAL, Takes, takes_in
from worker.llm.replicate.replies import (
    Prediction,
    account_in,
    completion,
    detail_in,
    prediction,
    refusal,
)
from worker.log import logger

_WAIT_S = 3
"""How long Replicate is asked to hold its reply for the answer: most are there by then. Until the
reply comes nobody knows the prediction's id and can cancel it, so it is far below the 60 seconds
that Replicate allows."""

_LEAVE_S = _WAIT_S + 1.0
"""How long a call that was given up may take to cancel its prediction."""

_REPLY_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 2.0
"""Between two looks at a prediction: a hundred under way stay below the 3,000 looks a minute that
Replicate allows."""

_LEAST_DEADLINE_S = 5
"""The shortest `Cancel-After` that Replicate takes."""

_NAME = re.compile(r"(?P<model>\w[\w.-]*/\w[\w.-]*)(?::(?P<version>\w+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_ok(self) -> bool:
        """Whether it is none of an error."""
        return 200 <= self.status < 300


class ReplicateEngine:
    """Models that run at Replicate: `OWNER/NAME` for an official one, else `OWNER/NAME:VERSION`.

    `timeout_s` is the limit for a prediction that runs, in seconds. Before it runs it may take
    `cold_start_s` until a machine has the model: that is no failure, and costs nothing.
    `max_connections` bounds the pool and must not be below the calls in flight. HTTPS_PROXY,
    SSL_CERT_FILE and their like are heeded. Raises ConfigError where key, proxy or certificates
    cannot be used. One prediction is made per call. What a model takes is asked once, which costs
    nothing, and kept as long as the engine lives.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = 600.0,
        cold_start_s: float = 600.0,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        max_connections: int = 256,
    ) -> None:
        self._base = URL(base_url).with_user(None)
        self._where = f"Replicate at {place(base_url)}"
        self._secret = sendable(api_key, KEY_NAME)
        self._timeout_s = timeout_s
        self._cold_start_s = cold_start_s
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout_s)
        self._max_connections = max_connections
        self._proxy = proxy_for(httpx2.URL(base_url))
        self._trusted = trusted(heed_environment=True)
        self._open: aiohttp.ClientSession | None = None
        self._closed = False
        self._takes: dict[str, Takes] = {}
        self._reading = asyncio.Lock()
        self._cold: dict[str, float] = {}
        """When it was last said of a model that it is starting."""
        self._leaving: set[asyncio.Task[None]] = set()

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt. Raises EngineError, and nothing else of the network's."""
        await self._read_what_is_taken(request.model_name)
        asked_at = time.monotonic()
        making = asyncio.create_task(self._made(request))
        try:
            done = await self._ended(await asyncio.shield(making), request.model_name, asked_at)
        except BaseException:
            await self._leave(making)
            raise
        latency_ms = round((time.monotonic() - asked_at) * 1000)
        return completion(done, request, latency_ms, self._where, self._secret)

    async def health(self) -> Health:
        """Whose account the token is; never raises. Costs nothing."""
        try:
            reply = await self._sound("GET", "account")
            account = account_in(reply.body, self._where)
        except EngineError as exc:
            return Health(ok=False, detail=str(exc), trouble=exc.trouble)
        return Health(ok=True, detail=f"{self._where} answers, account {account}")

    async def close(self) -> None:
        """Let what is being cancelled be cancelled, then close the connections."""
        await asyncio.gather(*self._leaving, return_exceptions=True)
        self._closed = True
        if self._open is not None:
            await self._open.close()

    async def _read_what_is_taken(self, model: str) -> None:
        """Read the model's own schema, once."""
        named = _NAME.fullmatch(model)
        if named is None or model in self._takes:
            return
        version = f"/versions/{named['version']}" if named["version"] else ""
        async with self._reading:
            if model not in self._takes:
                described = await self._sound("GET", f"models/{named['model']}{version}")
                self._takes[model] = takes_in(described.body)

    async def _made(self, request: Request) -> Prediction:
        """The one prediction of a call. A request that is refused for an input that its model does
        not know has made none, and is sent again without."""
        model = request.model_name
        while True:
            takes = self._takes.get(model, USUAL)
            if not takes.reads_text:
                said = f"{self._where}: {model} takes no prompt: it is no language model"
                raise EngineError(Trouble.MODEL_UNFIT, said)
            path, body = _addressed(model, takes.input(request))
            wait_s = max(1, min(_WAIT_S, int(self._timeout_s)))
            limit_s = wait_s + min(_REPLY_S, self._timeout_s)
            reply = await self._send("POST", path, limit_s, body, self._preferences(wait_s))
            if reply.is_ok:
                return prediction(reply.body, self._where)
            refused = reply.status == HTTPStatus.UNPROCESSABLE_ENTITY
            better = takes.corrected(detail_in(reply.body) or "") if refused else None
            if better is None:
                raise self._refusal(reply)
            self._takes[model] = better

    def _preferences(self, wait_s: int) -> dict[str, str]:
        deadline_s = max(_LEAST_DEADLINE_S, math.ceil(self._cold_start_s + self._timeout_s))
        return {"Prefer": f"wait={wait_s}", "Cancel-After": f"{deadline_s}s"}

    async def _ended(self, made: Prediction, model: str, asked_at: float) -> Prediction:
        """A prediction once it has ended, looked at in growing pauses. Raises EngineError where it
        takes too long to start or to run."""
        running_since = asked_at
        pause_s = _FIRST_PAUSE_S
        while not made.is_final:
            now = time.monotonic()
            if made.is_starting:
                running_since = now
                self._say_cold(model)
                left_s = asked_at + self._cold_start_s - now
            else:
                left_s = running_since + self._timeout_s - now
            if left_s <= 0:
                raise self._too_late(made)
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
            made = await self._looked_at(made)
        return made

    def _say_cold(self, model: str) -> None:
        """Once for all the calls that wait for the same start."""
        now = time.monotonic()
        if now - self._cold.get(model, -math.inf) > self._cold_start_s:
            self._cold[model] = now
            logger().info(
                f"{model} is starting at Replicate (a cold start); calls of it wait",
                longest_s=self._cold_start_s,
            )

    def _too_late(self, made: Prediction) -> EngineError:
        if made.is_starting:
            said = f"{self._where}: still starting after {self._cold_start_s:g} s"
            return EngineError(Trouble.UNAVAILABLE, said, status=200)
        said = f"{self._where}: still running after {self._timeout_s:g} s"
        return EngineError(Trouble.TIMEOUT, said, status=200, maybe_billed=True)

    async def _looked_at(self, made: Prediction) -> Prediction:
        """A prediction as it stands now. A look that fails loses no answer that is paid for."""
        try:
            reply = await self._sound("GET", f"predictions/{made.id}")
            return prediction(reply.body, self._where)
        except EngineError as error:
            if error.concern is Concern.PASSING:
                return made
            said = f"{self._where}: the prediction can no longer be read: {error}"
            raise EngineError(Trouble.SERVER_ERROR, said, maybe_billed=True) from error

    async def _leave(self, making: asyncio.Task[Prediction]) -> None:
        """Cancel what was made, whatever else becomes of the caller."""
        leaving = asyncio.create_task(self._cancel(making))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        await asyncio.shield(leaving)

    async def _cancel(self, making: asyncio.Task[Prediction]) -> None:
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                made = await making
                await self._sound("POST", f"predictions/{made.id}/cancel")

    async def _sound(self, method: str, path: str) -> Reply:
        """The reply to something that asks no model. Raises EngineError where it is an error."""
        try:
            reply = await self._send(method, path, _REPLY_S)
            if not reply.is_ok:
                raise self._refusal(reply)
        except EngineError as error:
            error.maybe_billed = False
            raise
        return reply

    def _refusal(self, reply: Reply) -> EngineError:
        return refusal(reply.status, reply.body, reply.headers, self._where, self._secret)

    async def _send(
        self,
        method: str,
        path: str,
        limit_s: float,
        body: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        if self._closed:
            raise EngineError(Trouble.UNAVAILABLE, f"{self._where}: this engine has been closed")
        try:
            async with asyncio.timeout(limit_s):
                return await self._exchange(method, path, body, headers)
        except Exception as exc:  # the border: whatever the network stack raises ends here
            error = fault(exc, self._where, self._secret)
            raise error from None if mentions(exc, self._secret) else exc

    async def _exchange(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> Reply:
        # Addresses are made of the configured one, never taken from a reply: the key goes nowhere
        # else.
        async with self._session().request(
            method,
            self._base / path,
            data=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
            headers=headers,
            allow_redirects=False,
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    def _session(self) -> aiohttp.ClientSession:
        """Made at the first call, for it belongs to the running loop."""
        if self._open is None:
            self._open = session(
                self._max_connections,
                self._timeout,
                headers={
                    "authorization": f"Bearer {self._secret}",
                    "content-type": "application/json",
                },
                proxy=self._proxy,
                trusted=self._trusted,
            )
        return self._open


def _addressed(model: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where a prediction of a model is made, and the body. What is no `OWNER/NAME` is a version."""
    named = _NAME.fullmatch(model)
    if named is None or named["version"]:
        return "predictions", {"version": named["version"] if named else model, "input": given}
    return f"models/{named['model']}/predictions", {"input": given}
