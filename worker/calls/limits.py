"""One rate limit for all processes and hosts: who may ask a model now, and who waits how long.

The decision is one step of limits.lua on Redis's clock. Here are its callers: in each process one
request per model waits at a time, the others behind it (first come, first served), and between
processes the longest waiting one goes first, so that a large request is not starved by small ones
and every process gets its turn. A waiter sleeps for as long as the script said, or until it is
woken because a call came back early. Nothing is granted while Redis is away, and nothing fails.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any
from uuid import uuid4

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from worker.calls.grant import Amount, Grant, Limits, Refusal, Timing
from worker.llm.engine import RateLimits, Usage
from worker.log import logger
from worker.outage import Outage

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 1.0
SECOND_US = 1_000_000

CANCELS = 3
"""A cancellation that meets a timeout of the Redis client's own can be swallowed by it."""

AWAY = (
    redis.ConnectionError,  # loading its data included
    redis.TimeoutError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.MasterDownError,
    redis.exceptions.OutOfMemoryError,
    OSError,
    TimeoutError,
)
"""Redis cannot decide now; all of it passes."""


class _Line:
    """Those of this process who want to ask one model. The first of them asks Redis."""

    def __init__(self, key: str) -> None:
        self.keys = [f"{key}:{part}" for part in ("state", "leases", "line", "promises")]
        self.turn = asyncio.Lock()  # hands itself on in the order of arrival
        self.woken = asyncio.Event()
        self.live: dict[str, Grant] = {}

    async def sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), seconds)


class Limiter:
    """The limits of one engine's models, as one process sees them.

    `engine` names whose limit it is: processes that pass the same name share it.
    """

    def __init__(self, url: str, engine: str, limits: Limits, timing: Timing | None = None) -> None:
        self._engine = engine
        self._timing = timing or Timing()
        self._fixed = _parameters(limits, self._timing)
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=8,
            timeout=None,
            decode_responses=True,
            socket_timeout=5,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), 0),  # _call does that
        )
        self._redis = Redis(connection_pool=self._pool)
        self._script = self._redis.register_script(source())
        self._outage = Outage("redis (rate limits)")
        self._channel = f"docmill:wake:{uuid4().hex}"
        self._lines: dict[str, _Line] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._sends: set[asyncio.Task[None]] = set()

    async def acquire(self, model: str, amounts: Sequence[Amount]) -> list[Grant]:
        """Leave to make the first of these calls, or the first few; returns when there is."""
        self._start()
        line = self._line(model)
        async with line.turn:
            while True:
                line.woken.clear()
                found = await self._ask(line, model, amounts)
                if not isinstance(found, Refusal):
                    return found
                await line.sleep(found.retry_after_s)

    def settle(
        self, grant: Grant, usage: Usage | None = None, rate_limits: RateLimits | None = None
    ) -> None:
        """The call is over: count what it took, or what it was reserved where that is unknown."""
        values = {**_settled(grant, usage), **_stated(rate_limits)}
        self._line(grant.model).live.pop(grant.id, None)
        self._send(grant, "settle", **values)

    async def going_out(self, grant: Grant) -> Grant:
        """The grant as it counts for a call that goes out now: from now on, if it is late."""
        now = time.monotonic()
        if now - grant.asked_at <= self._timing.spread_s / 2:
            return grant
        slot, moment = await self._call(self._line(grant.model), "delay", **_told(grant))
        late = replace(grant, slot=slot, granted_at=moment, asked_at=now)
        self._line(grant.model).live[grant.id] = late
        return late

    def give_back(self, grant: Grant) -> None:
        """The call was never made: as if it had not been granted."""
        self._line(grant.model).live.pop(grant.id, None)
        self._send(grant, "settle", unsent=True)

    def pause(self, grant: Grant, seconds: float | None, *, over_limit: bool) -> None:
        """The provider refused this call: nobody asks for so long, and then a little less.

        `seconds` is what it asked for; None: 1 s, twice as long each time in a row.
        `over_limit` is true for a 429, false for a 529 or 503. The grant has yet to be settled.
        """
        wait = {} if seconds is None else {"wait_us": round(seconds * SECOND_US)}
        self._send(grant, "pause", over_limit=over_limit, **wait)

    async def close(self) -> None:
        """Pass on what was settled, for up to 2 s, and disconnect."""
        if self._sends:
            await asyncio.wait(self._sends, timeout=2)
        left = {*self._loops, *self._sends}
        for _ in range(CANCELS):
            for task in left:
                task.cancel()
            if left:
                _, left = await asyncio.wait(left, timeout=1)
        await self._redis.aclose()
        await self._pool.disconnect()

    # --- talking to Redis -----------------------------------------------------------------------

    def _line(self, model: str) -> _Line:
        if model not in self._lines:
            # The braces keep the keys of one model together on a cluster.
            self._lines[model] = _Line(f"docmill:limit:{{{self._engine}/{model}}}")
        return self._lines[model]

    async def _ask(
        self, line: _Line, model: str, amounts: Sequence[Amount]
    ) -> list[Grant] | Refusal:
        wanted, asked_at = [_wanted(amount) for amount in amounts], time.monotonic()
        said, *rest = await self._call(line, "acquire", wanted=wanted, waiter=self._channel)
        if said != "granted":
            return Refusal(said, rest[0] / 1000)
        slot, now, *charged = rest
        granted = [
            Grant(call["id"], model, amount, tokens, slot, now, asked_at)
            for call, amount, tokens in zip(wanted, amounts, charged, strict=False)
        ]
        line.live |= {grant.id: grant for grant in granted}
        return granted

    def _send(self, grant: Grant, op: str, **values: Any) -> None:
        """In the background: an answer that has arrived does not wait for Redis."""
        self._spawn(self._sending(self._line(grant.model), op, _told(grant) | values))

    async def _sending(self, line: _Line, op: str, values: dict[str, Any]) -> None:
        await self._call(line, op, **values)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._sends.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger().error("rate limits: unexpected error", exc_info=task.exception())

    async def _call(self, line: _Line, op: str, **values: Any) -> Sequence[Any]:
        """One step of the script, for as long as it takes. Every op is harmless when repeated."""
        wait = FIRST_WAIT_S
        while True:
            try:
                answer = await self._once(line, op, values)
            except AWAY as exc:
                self._outage.begin(exc)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_S)
            else:
                self._outage.end()
                return answer

    async def _once(self, line: _Line, op: str, values: dict[str, Any]) -> Sequence[Any]:
        # EVALSHA; a server that does not know the script (any more) is sent it.
        order = json.dumps({"op": op, **self._fixed, **values})
        answer: Sequence[Any] = await self._script(keys=line.keys, args=[order])
        return answer

    # --- in the background ----------------------------------------------------------------------

    def _start(self) -> None:
        if not self._loops:
            self._loops = [
                asyncio.create_task(self._renew(), name="rate limit leases"),
                asyncio.create_task(self._listen(), name="rate limit wakes"),
            ]

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._timing.renew_s)
            for line in list(self._lines.values()):
                leases = [(grant.id, grant.granted_at) for grant in line.live.values()]
                if leases:
                    await self._call(line, "renew", leases=leases)

    async def _listen(self) -> None:
        """Pass on the wakes of other processes. One that is missed costs a second, no more."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as wakes:
            while True:
                try:
                    if not wakes.subscribed:
                        await wakes.subscribe(self._channel)
                    message = await wakes.get_message(timeout=30)
                except AWAY:
                    await asyncio.sleep(LONGEST_WAIT_S)
                    continue
                for line in self._lines.values() if message else ():
                    if line.keys[0] == message["data"]:
                        line.woken.set()


def source() -> str:
    """The script."""
    return resources.files("worker.calls").joinpath("limits.lua").read_text("utf-8")


def _parameters(limits: Limits, timing: Timing) -> dict[str, int]:
    stated = {"rpm": limits.rpm, "tpm": limits.tpm, "max_in_flight": limits.max_in_flight}
    times = ("window", "spread", "lease", "hold")
    return {
        **{name: value for name, value in stated.items() if value is not None},
        **{f"{name}_us": round(getattr(timing, f"{name}_s") * SECOND_US) for name in times},
    }


def _wanted(amount: Amount) -> dict[str, Any]:
    likely, most = amount.prompt + amount.output, amount.prompt + amount.max_output
    return {"id": uuid4().hex, "likely": likely, "most": most}


def _told(grant: Grant) -> dict[str, Any]:
    names = ("id", "charged", "slot", "granted_at")
    return {name: getattr(grant, name) for name in names}


def _settled(grant: Grant, usage: Usage | None) -> dict[str, int]:
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return {}
    return {
        "used": usage.input_tokens + usage.output_tokens,
        "reserved": usage.input_tokens + grant.amount.max_output,
    }


def _stated(limits: RateLimits | None) -> dict[str, int]:
    if limits is None:
        return {}
    stated = {
        "limit_r": limits.limit_requests,
        "left_r": limits.remaining_requests,
        "limit_t": limits.limit_tokens,
        "left_t": limits.remaining_tokens,
    }
    return {name: value for name, value in stated.items() if value is not None}
