"""Leave for each call: whoever wants to ask an engine waits for it first.

Leave says what is to be known of a call beforehand and tells what became of it afterwards, so that
a caller cannot forget either. Nothing here ever spends an attempt.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import Protocol

from worker.calls.grant import Amount, Grant, ShutReason
from worker.calls.limits import Limiter
from worker.calls.output_reserve import OutputReserve
from worker.llm.engine import Completion, EngineError, Request, Trouble
from worker.llm.gate import Closed
from worker.tokens import estimate

OVERLOADED = 529

NOTICED_S = 60.0
"""A pause that is longer than this is told to people; a shorter one is how limits are kept."""

PAUSED = {
    ShutReason.RATE_LIMITED: "it refuses calls as too many",
    ShutReason.ASKED: "it asked not to be called until then",
    ShutReason.TROUBLE: "it does not answer, or with errors of its own",
}

UNANSWERED = frozenset({Trouble.UNAVAILABLE, Trouble.SERVER_ERROR, Trouble.TIMEOUT})


class Leave(Protocol):
    """Leave to make one call. Left without a word the call counts in full, if it went out."""

    async def sent(self) -> None:
        """The request goes out now."""
        ...

    def answered(self, completion: Completion) -> None:
        """The call went well."""
        ...


class Admission(Protocol):
    """Who lets calls out to one engine."""

    def leave(self, ask_id: int, request: Request) -> AbstractAsyncContextManager[Leave]:
        """Wait until this request may go out. An EngineError on the way out tells why it failed."""
        ...

    def ahead(self, model: str) -> int | None:
        """How many jobs of this model are worth a claim where calls wait for leave, those that wait
        included; None: none waits."""
        ...

    async def pauses(self) -> Mapping[str, Closed]:
        """What no process asks at present, for long enough to be told, by model; the empty name is
        the engine with all of them. Raises what redis raises."""
        ...

    async def lift(self, model: str) -> None:
        """Somebody says that it may be asked again. Raises what redis raises."""
        ...

    async def close(self) -> None:
        """Pass on what is settled."""
        ...


class Unlimited:
    """For a local engine: its slots are the only limit, and no process asks another."""

    def leave(self, ask_id: int, request: Request) -> AbstractAsyncContextManager[Leave]:
        """Whoever asks has it."""
        return nullcontext(_FreeLeave())

    def ahead(self, model: str) -> int | None:
        """Nobody waits."""
        return None

    async def pauses(self) -> Mapping[str, Closed]:
        """Nothing."""
        return {}

    async def lift(self, model: str) -> None:
        """There is nothing to lift."""

    async def close(self) -> None:
        """There is nothing to pass on."""


class _FreeLeave:
    async def sent(self) -> None:
        pass

    def answered(self, completion: Completion) -> None:
        pass


class Limited:
    """By the rate limit that all processes share."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._reserve = OutputReserve()

    @asynccontextmanager
    async def leave(self, ask_id: int, request: Request) -> AsyncIterator[Leave]:
        """Wait for a grant, and settle it or give it back."""
        grant = await self._limiter.acquire(request.model_name, self._amount(ask_id, request))
        leave = _GrantedLeave(grant, self._limiter)
        try:
            yield leave
        except EngineError as error:
            self._failed(leave.grant, error)
            raise
        except BaseException:
            leave.left()
            raise
        if leave.completion is None:
            leave.left()
        else:
            self._answered(leave.grant, ask_id, leave.completion)

    def ahead(self, model: str) -> int | None:
        """As many as the limit lets out until there are more, where it was met, or a pause."""
        return self._limiter.ahead(model)

    async def pauses(self) -> Mapping[str, Closed]:
        """What the limit keeps back that is no matter of seconds."""
        return {
            one.model or "": Closed(
                one.reason,
                PAUSED[one.reason],
                lasting=False,
                since=datetime.fromtimestamp(one.since, UTC),
                until=datetime.fromtimestamp(one.until, UTC),
            )
            for one in await self._limiter.state()
            if one.reason is ShutReason.TROUBLE or one.until - one.since > NOTICED_S
        }

    async def lift(self, model: str) -> None:
        """End its pauses for all processes."""
        await self._limiter.lift(model or None)

    async def close(self) -> None:
        """Pass on what is settled."""
        await self._limiter.close()

    def _amount(self, ask_id: int, request: Request) -> Amount:
        prompt = sum(estimate(message.content) for message in request.messages)
        return Amount(prompt, self._reserve.tokens(ask_id, request.max_tokens), request.max_tokens)

    def _answered(self, grant: Grant, ask_id: int, completion: Completion) -> None:
        if completion.usage.output_tokens is not None:
            self._reserve.learn(ask_id, completion.usage.output_tokens)
        self._limiter.settle(grant, completion.usage, completion.rate_limits)

    def _failed(self, grant: Grant, error: EngineError) -> None:
        """It counts in full, as providers have it; what it teaches is all processes' knowledge."""
        wait_s, headers = error.retry_after_s, error.rate_limits
        if error.trouble in UNANSWERED:
            # Nothing came back at all: no way to the engine, whichever model was to be asked.
            unreachable = error.trouble is Trouble.UNAVAILABLE and error.status is None
            self._limiter.trouble(grant, wait_s, engine=unreachable, rate_limits=headers)
        elif error.trouble is Trouble.RATE_LIMITED or wait_s is not None:
            over_limit = error.trouble is Trouble.RATE_LIMITED and error.status != OVERLOADED
            self._limiter.pause(grant, wait_s, over_limit=over_limit, rate_limits=headers)
        else:
            self._limiter.settle(grant, rate_limits=headers)


class _GrantedLeave:
    def __init__(self, grant: Grant, limiter: Limiter) -> None:
        self.grant = grant
        self.completion: Completion | None = None
        self._limiter = limiter
        self._is_out = False

    async def sent(self) -> None:
        """A call that goes out late counts from now."""
        self.grant = await self._limiter.going_out(self.grant)
        self._is_out = True

    def answered(self, completion: Completion) -> None:
        """Settled when it is left."""
        self.completion = completion

    def left(self) -> None:
        """Nobody knows what became of the call."""
        if self._is_out:
            self._limiter.cut_off(self.grant)
        else:
            self._limiter.give_back(self.grant)
