"""One rate limit for all processes and hosts: who may ask a model now, and who waits how long.

The decision is one step of limits.lua on Redis's clock. Here are its callers: in each process all
that wait for a model are asked for together (first come, first served), and between processes the
longest waiting one goes first, so that a large request is not starved by small ones and every
process gets its turn. A waiter sleeps for as long as the script said, though never for more than
a few seconds, or until it is woken because a call came back early. Nothing is granted while Redis
is away, and nothing fails.
"""

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from itertools import islice
from typing import Any
from uuid import uuid4

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from models.engines import MINUTE_S
from worker.calls.grant import (
    Amount,
    EngineLimits,
    Grant,
    Limits,
    Refusal,
    Shut,
    ShutReason,
    Timing,
)
from worker.llm.engine import RateLimits, Usage
from worker.log import logger
from worker.outage import Outage

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 1.0
SECOND_US = 1_000_000

MOST_AT_ONCE = 100
"""Calls that are asked for in one step of the script: a step holds up everybody else's."""

AHEAD_S, MOST_AHEAD = 0.3, 64
"""As many as were let out in so many seconds may wait, or one: enough until a claim has brought
more, which takes tens of milliseconds, and no more than that is taken from other processes."""

LONGEST_RESET = 2
"""In windows, or minutes: a limit that takes longer to be whole again is an hour's or a day's."""

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

AWAY_REPLIES = ("MISCONF", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS")
"""The same as replies for which redis-py has no class of their own."""


def _is_away(exc: Exception) -> bool:
    return isinstance(exc, AWAY) or str(exc).startswith(AWAY_REPLIES)


@dataclass(slots=True)
class _Waiter:
    """A call that waits for leave."""

    amount: Amount
    id: str = field(default_factory=lambda: uuid4().hex)
    leave: "asyncio.Future[Grant]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def wanted(self) -> dict[str, Any]:
        """What the script wants to know of it."""
        likely = self.amount.prompt + self.amount.output
        return {
            "id": self.id,
            "likely": likely,
            "most": self.amount.prompt + self.amount.max_output,
        }


class _Line:
    """Those of this process who want to ask one model, and the calls that were let out."""

    def __init__(self, model: str, keys: Sequence[str], limits: Mapping[str, Any]) -> None:
        self.model = model
        self.keys = keys
        self.limits = limits
        """Of engine and model, as the script reads them."""
        self.waiting: dict[str, _Waiter] = {}
        self.refused: Refusal | None = None
        """What the first of those waiting was told last."""
        self.woken = asyncio.Event()
        self.asker: asyncio.Task[None] | None = None
        self.live: dict[str, Grant] = {}
        self.let_out: deque[float] = deque(maxlen=MOST_AHEAD)
        """When the last of them were."""

    @property
    def state(self) -> str:
        """The key of the model's state; wakes name it."""
        return self.keys[-4]

    async def sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()


class Limiter:
    """The limits of one engine and its models, as one process sees them.

    `engine` names whose limit it is: processes that pass the same name share it.
    """

    def __init__(
        self, url: str, engine: str, limits: EngineLimits, timing: Timing | None = None
    ) -> None:
        # The braces keep the keys of an engine and its models together on a cluster.
        self._prefix = f"docmill:limit:{{{engine}}}"
        self._limits = limits
        self._timing = timing or Timing()
        self._times = _times(self._timing)
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

    async def acquire(self, model: str, amount: Amount) -> Grant:
        """Leave to make one call; returns when there is."""
        self._start()
        line, waiter = self._line(model), _Waiter(amount)
        line.waiting[waiter.id] = waiter
        if line.asker is None:
            line.asker = asyncio.create_task(self._ask_for(line), name=f"leave to ask {model}")
        try:
            return await waiter.leave
        except asyncio.CancelledError:
            self._gone(line, waiter)
            raise

    def ahead(self, model: str) -> int | None:
        """How many calls of this process to a model are to wait for leave, where some were refused
        and do; None: none was."""
        line = self._lines.get(model)
        if line is None or line.refused is None:
            return None
        since = time.monotonic() - AHEAD_S
        return max(1, sum(moment > since for moment in line.let_out))

    def settle(
        self, grant: Grant, usage: Usage | None = None, rate_limits: RateLimits | None = None
    ) -> None:
        """The provider answered: count what it took, or what it was reserved where that is unknown.

        Without a usage that may be a definite no, too: it shows that the provider is well.
        """
        values = _used(grant, usage) | stated(rate_limits, self._timing.window_s)
        self._end(grant, "settle", well=True, **values)

    def cut_off(self, grant: Grant) -> None:
        """The call went out, and what became of it is not known: it counts in full."""
        self._end(grant, "settle")

    def give_back(self, grant: Grant) -> None:
        """The call was never made: as if it had not been granted."""
        self._end(grant, "settle", unsent=True)

    def pause(
        self,
        grant: Grant,
        seconds: float | None,
        *,
        over_limit: bool,
        rate_limits: RateLimits | None = None,
    ) -> None:
        """The provider refused this call: nobody asks its model for so long, and then a little
        less. It counts in full.

        `seconds` is what it asked for; None: 1 s, twice as long each time in a row.
        `over_limit` is true for a 429, false for a 529.
        """
        values = _asked(seconds) | stated(rate_limits, self._timing.window_s)
        self._end(grant, "pause", over_limit=over_limit, **values)

    def trouble(
        self,
        grant: Grant,
        seconds: float | None = None,
        *,
        engine: bool = False,
        rate_limits: RateLimits | None = None,
    ) -> None:
        """The provider did not answer this call, or with an error of its own. It counts in full.

        Where too many of the last calls of all processes failed, nobody asks the model (`engine`:
        any model, for there was no way to the engine) for 1 s, twice as long each time up to a
        minute, and then one call at a time, until one is answered. `seconds` is what the provider
        asked for, if it did.
        """
        values = _asked(seconds) | stated(rate_limits, self._timing.window_s)
        self._end(grant, "trouble", whole=engine, **values)

    async def going_out(self, grant: Grant) -> Grant:
        """The grant as it counts for a call that goes out now: from now on, if it is late."""
        now = time.monotonic()
        if now - grant.asked_at <= self._timing.spread_s / 2:
            return grant
        slot, moment = await self._call(self._line(grant.model), "delay", **_told(grant))
        late = replace(grant, slot=slot, granted_at=moment, asked_at=now)
        self._line(grant.model).live[grant.id] = late
        return late

    async def state(self) -> list[Shut]:
        """Who is not asked now, by any process. Raises what redis raises; does not wait for it."""
        found = await self._redis.hgetall(f"{self._prefix}:shut")
        reasons = {str(model): str(reason) for model, reason in found.items()}
        names = ("pause_until", "since", "steps")
        async with self._redis.pipeline(transaction=False) as pipe:
            for model in reasons:
                pipe.hmget(f"{self._key(model)}:state", *names)
            pipe.time()
            *states, (seconds, part) = await pipe.execute()
        now = seconds * SECOND_US + part
        shut = (
            _shut(model, reason, now, *(float(value or 0) for value in values))
            for (model, reason), values in zip(reasons.items(), states, strict=True)
        )
        return [one for one in shut if one is not None]

    async def lift(self, model: str | None) -> None:
        """End the pauses and the breaker of a model, or of the engine, at once.

        Raises what redis raises; does not wait for it.
        """
        line = self._line(model) if model is not None else self._whole()
        await self._once(line, "lift", {})

    async def close(self) -> None:
        """Pass on what was settled, for up to 2 s, and disconnect."""
        askers = [line.asker for line in self._lines.values() if line.asker is not None]
        await _ended([*askers, *self._loops])
        if self._sends:
            await asyncio.wait(self._sends, timeout=2)
        await _ended(self._sends)
        await self._redis.aclose()
        await self._pool.disconnect()

    # --- those who wait -------------------------------------------------------------------------

    async def _ask_for(self, line: _Line) -> None:
        """Ask for all that wait for one model, in the order in which they came."""
        try:
            while line.waiting:
                line.woken.clear()
                line.refused = await self._ask(line)
                if line.refused is not None:
                    await line.sleep(min(line.refused.retry_after_s, self._timing.sleep_s))
        except Exception as exc:  # a fault of ours: said to everybody who waits
            for waiter in line.waiting.values():
                if not waiter.leave.done():
                    waiter.leave.set_exception(exc)
        finally:
            for waiter in line.waiting.values():
                waiter.leave.cancel()
            line.waiting.clear()
            if line.refused is not None:
                self._spawn(self._sending(line, "leave", {"waiter": self._channel}))
            line.asker = line.refused = None

    async def _ask(self, line: _Line) -> Refusal | None:
        """Hand out what may go now; the reason and the wait where nothing may."""
        waiters = list(islice(line.waiting.values(), MOST_AT_ONCE))
        wanted, asked_at = [waiter.wanted for waiter in waiters], time.monotonic()
        said, *rest = await self._call(line, "acquire", wanted=wanted, waiter=self._channel)
        if said != "granted":
            return Refusal(said, rest[0] / 1000)
        slot, now, *charged = rest
        for waiter, tokens in zip(waiters, charged, strict=False):
            grant = Grant(waiter.id, line.model, waiter.amount, tokens, slot, now, asked_at)
            line.live[grant.id] = grant
            line.let_out.append(time.monotonic())
            line.waiting.pop(waiter.id, None)
            if waiter.leave.done():  # it was cancelled meanwhile
                self.give_back(grant)
            else:
                waiter.leave.set_result(grant)
        return None

    def _gone(self, line: _Line, waiter: _Waiter) -> None:
        line.waiting.pop(waiter.id, None)
        if waiter.leave.done() and not waiter.leave.cancelled() and not waiter.leave.exception():
            self.give_back(waiter.leave.result())
        if not line.waiting:
            line.woken.set()  # its asker has nobody to ask for

    # --- talking to Redis -----------------------------------------------------------------------

    def _key(self, model: str) -> str:
        """What the keys of a model begin with; the empty name is the engine's."""
        return f"{self._prefix}/{model}" if model else self._prefix

    def _whole(self) -> _Line:
        keys = [f"{self._prefix}:shut", *_keys(self._prefix)]
        return _Line("", keys, {"engine": _limits(self._limits.whole)})

    def _line(self, model: str) -> _Line:
        if model not in self._lines:
            whole, own = self._whole(), _limits(self._limits.models.get(model, Limits()))
            keys = [*whole.keys, *_keys(self._key(model))]
            self._lines[model] = _Line(model, keys, {**whole.limits, "name": model, "model": own})
        return self._lines[model]

    def _end(self, grant: Grant, op: str, **values: Any) -> None:
        """In the background: an answer that has arrived does not wait for Redis."""
        line = self._line(grant.model)
        line.live.pop(grant.id, None)
        self._spawn(self._sending(line, op, _told(grant) | values))

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
            except (*AWAY, redis.ResponseError) as exc:
                if not _is_away(exc):
                    raise
                self._outage.begin(exc)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_S)
            else:
                self._outage.end()
                return answer

    async def _once(self, line: _Line, op: str, values: Mapping[str, Any]) -> Sequence[Any]:
        # EVALSHA; a server that does not know the script (any more) is sent it.
        order = json.dumps({"op": op, **self._times, **line.limits, **values})
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
                    await self._renewed(line, leases)

    async def _renewed(self, line: _Line, leases: Sequence[tuple[str, int]]) -> None:
        try:
            await self._call(line, "renew", leases=leases)
        except redis.RedisError:  # the next turn tries again
            logger().exception("the leases of calls could not be renewed")

    async def _listen(self) -> None:
        """Pass on the wakes of other processes. One that is missed costs a second, no more."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as wakes:
            while True:
                try:
                    if not wakes.subscribed:
                        await wakes.subscribe(self._channel)
                    message = await wakes.get_message(timeout=30)
                except (*AWAY, redis.RedisError):
                    await asyncio.sleep(LONGEST_WAIT_S)
                    continue
                for line in self._lines.values() if message else ():
                    if line.state == message["data"]:
                        line.woken.set()


def source() -> str:
    """The script."""
    return resources.files("worker.calls").joinpath("limits.lua").read_text("utf-8")


def stated(limits: RateLimits | None, window_s: float) -> dict[str, int]:
    """What headers tell the script. A limit that takes long to be whole again is not one of the
    window: where it is all that a provider states, nothing is known of a minute."""
    if limits is None:
        return {}
    longest_s = LONGEST_RESET * max(window_s, MINUTE_S)
    kinds = {
        "r": (limits.limit_requests, limits.remaining_requests, limits.reset_requests_s),
        "t": (limits.limit_tokens, limits.remaining_tokens, limits.reset_tokens_s),
    }
    told: dict[str, int | None] = {}
    for kind, (limit, left, reset_s) in kinds.items():
        if reset_s is not None and reset_s > longest_s:
            told[f"daily_{kind}"] = limit
        else:
            told |= {f"limit_{kind}": limit, f"left_{kind}": left}
    return {name: value for name, value in told.items() if value is not None}


async def _ended(tasks: Sequence[asyncio.Task[None]] | set[asyncio.Task[None]]) -> None:
    left = set(tasks)
    for _ in range(CANCELS):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=1)


def _keys(scope: str) -> list[str]:
    return [f"{scope}:{part}" for part in ("state", "leases", "line", "promises")]


def _limits(limits: Limits) -> dict[str, int]:
    return {name: value for name, value in asdict(limits).items() if value is not None}


def _times(timing: Timing) -> dict[str, int]:
    names = ("window", "spread", "lease", "hold", "sleep", "pause", "longest_pause")
    return {f"{name}_us": round(getattr(timing, f"{name}_s") * SECOND_US) for name in names}


def _told(grant: Grant) -> dict[str, Any]:
    names = ("id", "charged", "slot", "granted_at")
    return {name: getattr(grant, name) for name in names}


def _asked(seconds: float | None) -> dict[str, int]:
    return {} if seconds is None else {"wait_us": round(seconds * SECOND_US)}


def _used(grant: Grant, usage: Usage | None) -> dict[str, int]:
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return {}
    return {
        "used": usage.input_tokens + usage.output_tokens,
        "reserved": usage.input_tokens + grant.amount.max_output,
    }


def _shut(
    model: str, reason: str, now: float, until: float, since: float, steps: float
) -> Shut | None:
    """None where the pause is over; after trouble it is not before a call was answered."""
    if until <= now and steps == 0:
        return None
    why = ShutReason.TROUBLE if until <= now else ShutReason(reason)
    return Shut(model or None, why, since / SECOND_US, until / SECOND_US)
