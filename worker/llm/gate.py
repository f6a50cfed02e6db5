"""Whether an engine may be asked right now: shut while it is down or wants to be left alone."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

from worker.llm.engine import EngineError, Health, Trouble
from worker.outage import Outage

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0
RECENT = 20
"""Calls that are looked at to tell an engine in trouble from a prompt in trouble."""

SICK_SHARE = 0.2
"""Share of failing calls among the recent ones above which the engine is the one to blame."""


class Gate:
    """The breaker of one engine in one process.

    An engine that is down is probed by its free health call, so that no prompt and no attempt is
    spent on finding out; one that asked for a pause gets it. `limited`: a rate limit decides when
    calls go out and keeps the pauses after refusals, for all processes at once; the gate then
    stays open for them.
    """

    def __init__(
        self, name: str, health: Callable[[], Awaitable[Health]], *, limited: bool = False
    ) -> None:
        self._health = health
        self._limited = limited
        self._outage = Outage(name)
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self._pause_s = FIRST_PAUSE_S
        self._shut_until = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._opener: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """True when jobs may be claimed for this engine."""
        return self._open.is_set()

    async def wait_open(self) -> None:
        """Return once the engine may be asked."""
        await self._open.wait()

    @property
    def healthy(self) -> bool:
        """True when most recent calls went well: then a failing call is its prompt's own fault."""
        good = sum(self._recent)
        return good > 0 and (len(self._recent) - good) <= SICK_SHARE * len(self._recent)

    def success(self) -> None:
        """A call was answered."""
        self._recent.append(True)
        self._pause_s = FIRST_PAUSE_S
        self._outage.end()

    def trouble(self, error: EngineError) -> float:
        """A call failed; shut the gate where that helps. Returns the pause in seconds."""
        match error.trouble:
            case Trouble.UNAVAILABLE:
                self._shut(error, probe=True)
            case Trouble.RATE_LIMITED:
                if not self._limited:
                    self._shut(error, probe=False)
            case Trouble.SERVER_ERROR | Trouble.TIMEOUT:
                self._recent.append(False)
                if not self.healthy:
                    self._shut(error, probe=False)
            case _:
                self._recent.append(True)  # it answered: the engine is well
        return self._pause_s

    def _next_pause(self) -> float:
        pause = self._pause_s * random.uniform(0.75, 1.25)  # noqa: S311  # jitter, no secret
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        return pause

    def _shut(self, error: EngineError, *, probe: bool) -> None:
        """Calls that fail together shut it once; only a pause that a server asked for adds."""
        self._outage.begin(error)
        pause_s = error.retry_after_s or 0.0
        if self._opener is None:
            pause_s = max(pause_s, self._next_pause())
        self._shut_until = max(self._shut_until, time.monotonic() + pause_s)
        if self._opener is None:
            self._open.clear()
            self._opener = asyncio.create_task(self._reopen(probe))

    async def _reopen(self, probe: bool) -> None:
        while (left := self._shut_until - time.monotonic()) > 0:
            await asyncio.sleep(left)  # a later call may have been told to wait for longer
        while probe and not (await self._health()).ok:
            await asyncio.sleep(min(self._next_pause(), 2.0))
        self._opener = None
        self._open.set()

    async def close(self) -> None:
        """Stop probing."""
        if self._opener is not None:
            self._opener.cancel()
