"""Whether a model of an engine is asked from this process right now.

A gate is shut by trouble that is not a prompt's own: for a while where it passes by itself, until
somebody mends it where it does not. After that it is half open: one job goes through, and how that
ends opens the gate or shuts it for longer. Nothing that it sends back counts against a job.
"""

import asyncio
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from worker.llm.engine import Concern, EngineError, Health, Trouble
from worker.outage import Outage

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 60.0
"""Between two tries of an engine in trouble: at most two calls a minute, jitter included."""

LONGEST_LASTING_S = 600.0
"""The same where somebody has to mend something first; `docmill resume` tries at once."""

LONGEST_PROBE_S = 2.0
"""Between two free looks whether an engine that was gone is back."""

RECENT = 20
"""Calls that are looked at to tell an engine in trouble from a prompt in trouble."""

SICK_SHARE = 0.2
"""Share of failing calls among the recent ones above which the engine is the one to blame."""

SYSTEMIC = 5
"""So many prompts refused in a row with the same words, and none answered between: it is not the
prompts."""

REFUSES_ALL = "refuses_all"
"""The code of a gate that is shut for that."""

KEEPS_DYING_AFTER = 12
"""So many deaths in a row, and no call answered between: it is not the prompts. Twice for each of a
few prompts that do end it is less."""

KEEPS_DYING = "keeps_dying"
"""The code of a gate that is shut for that."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a gate is shut, as people are told."""

    code: str
    message: str
    lasting: bool
    """Whether somebody has to mend it."""
    since: datetime
    until: datetime | None
    """When it is tried again; None: when a look says so."""


class Gate:
    """The breaker of one model of an engine in one process.

    `limited`: a rate limit that all processes share keeps the pauses of passing trouble; the gate
    then stays open for them. `health` is the engine's free look at itself.
    """

    def __init__(
        self,
        name: str,
        model: str,
        health: Callable[[], Awaitable[Health]],
        *,
        limited: bool = False,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.model = model
        self._health = health
        self._limited = limited
        self._changed = changed
        """Called when it opens a little or wholly."""
        self._outage = Outage(name)
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self._refusals = 0
        self._refusal = ""
        self._deaths = 0
        self._pause_s = FIRST_PAUSE_S
        self._until = 0.0
        self._opener: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._missing = False
        self.shut: Closed | None = None
        """Why it is shut or half open; None: it is open."""

    def room(self, waiting: int, engaged: int) -> int | None:
        """How many more jobs may go through now; None: as many as like."""
        if self._opener is not None or self._missing:
            return 0
        return None if self.shut is None else 1 - waiting - engaged

    @property
    def healthy(self) -> bool:
        """True when most recent calls went well: then a failing call is its prompt's own fault."""
        good = sum(self._recent)
        return good > 0 and (len(self._recent) - good) <= SICK_SHARE * len(self._recent)

    @property
    def pause_s(self) -> float:
        """For how long a job that came back had better wait: the gate keeps the longer pauses."""
        return FIRST_PAUSE_S

    def success(self) -> None:
        """A call was answered."""
        self._recent.append(True)
        self._refusals = self._deaths = 0
        self._pause_s = FIRST_PAUSE_S
        self._open()

    def _open(self) -> None:
        if self.shut is not None and self._opener is None:
            self.shut = None
            self._outage.end()
            self._changed()

    def trouble(self, error: EngineError) -> bool:
        """A call failed: shut the gate where that helps. True when it is the prompt's own fault."""
        match error.concern:
            case Concern.PROMPT:
                return self._refused(error)
            case Concern.PASSING if error.trouble is Trouble.DIED:
                return self._died(error)
            case Concern.PASSING:
                return self._struggled(error)
            case _:
                self._shut(error, error.trouble, lasting=True)
                return False

    def _refused(self, error: EngineError) -> bool:
        self._recent.append(True)  # it answered: the engine is well
        words = re.sub(r"\d+", "#", str(error)) if error.trouble is Trouble.BAD_REQUEST else ""
        self._refusals = self._refusals + 1 if words and words == self._refusal else 1
        self._refusal = words
        if self._refusals < SYSTEMIC:
            if self.shut is not None and self.shut.code != REFUSES_ALL:
                self._open()
            return True
        self._shut(error, REFUSES_ALL, lasting=True)
        return False

    def _died(self, error: EngineError) -> bool:
        """Calls in flight at one death count one: the gate was shut by the first of them."""
        self._deaths += self._opener is None
        lasting = self._deaths >= KEEPS_DYING_AFTER
        self._shut(error, KEEPS_DYING if lasting else error.trouble, lasting=lasting)
        return not lasting

    def _struggled(self, error: EngineError) -> bool:
        if error.trouble in (Trouble.SERVER_ERROR, Trouble.TIMEOUT):
            self._recent.append(False)
            if self.healthy and self.shut is None:
                return True
        if not self._limited:
            self._shut(error, error.trouble, lasting=False)
        return False

    def _shut(self, error: EngineError, code: str, *, lasting: bool) -> None:
        """Calls that fail together shut it once; only a pause that a server asked for adds."""
        self._outage.begin(error)
        pause_s = error.retry_after_s or 0.0
        if self._opener is None:
            longest = LONGEST_LASTING_S if lasting else LONGEST_PAUSE_S
            pause_s = max(pause_s, self._next_pause(longest))
        self._until = max(self._until, _now() + pause_s)
        now = datetime.now(UTC)
        self.shut = Closed(
            code,
            str(error),
            lasting,
            self.shut.since if self.shut is not None else now,
            now + timedelta(seconds=self._until - _now()),
        )
        if self._opener is None:
            probe = lasting or error.trouble in (Trouble.UNAVAILABLE, Trouble.DIED)
            self._opener = asyncio.create_task(self._open_a_little(probe=probe))

    def _next_pause(self, longest: float) -> float:
        pause = self._pause_s * random.uniform(0.75, 1.0)  # noqa: S311 - jitter, no secret
        self._pause_s = min(self._pause_s * 2, longest)
        return pause

    async def _open_a_little(self, *, probe: bool) -> None:
        while (left := self._until - _now()) > 0 and not self._tried.is_set():
            with suppress(TimeoutError):  # a later call may have been told to wait for longer
                async with asyncio.timeout(min(left, LONGEST_PAUSE_S)):
                    await self._tried.wait()
        while probe and not self._tried.is_set() and not await self._answers():
            await asyncio.sleep(min(self._next_pause(LONGEST_PAUSE_S), LONGEST_PROBE_S))
        self._tried.clear()
        self._opener = None
        self._changed()

    async def _answers(self) -> bool:
        """Whether the engine answers, and has the model if it says what it has."""
        health = await self._health()
        return health.ok and health.offers(self.model)

    def absent(self, message: str) -> None:
        """The engine says that it does not have the model: shut until it says otherwise."""
        if self.shut is None:
            now = datetime.now(UTC)
            self.shut = Closed(Trouble.MODEL_NOT_FOUND, message, True, now, None)
            self._missing = True

    def present(self) -> None:
        """The engine says that it has the model."""
        if self._missing:
            self._missing = False
            self._open()

    def lift(self) -> None:
        """Somebody says that it has been mended: try now."""
        self._pause_s, self._until = FIRST_PAUSE_S, 0.0
        if self._opener is not None:
            self._tried.set()

    async def close(self) -> None:
        """Stop looking."""
        if self._opener is not None:
            self._opener.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()
