"""How many calls in flight an engine does best with, found by trying. Pure: calls in, a number out.

One level is held, and now and then more or fewer are tried over a window of calls. More in flight
has to pay: throughput must grow by a fair share of it (`WORTH`), or the calls only queue and their
latency runs away. Steps that pay grow, so that a far knee is near; one that does not leads back,
and the next goes half as far. Where neither way pays the level rests. It is searched anew at once
when the engine becomes slower or faster.

Refusals and time-outs are no matter of degree: a level that is tried is left for the held one, and
a held one gives up a share of itself (`BACK_OFF`).

Throughput and latency are one measure here. By Little's law the calls in flight are the throughput
times the latency; so the rate is right also where there was nothing to do for a time.
"""

import math
from dataclasses import dataclass

from worker.llm.engine import Trouble

FIRST = 4
"""Calls in flight at first: the number that is the default where it is fixed."""

WORTH = 0.3
"""The least growth of throughput for more in flight: 1.25 times as many have to bring 1.25 ** 0.3,
7 % more. At 1 the first call that queues would be one too many; at 0 none ever would."""

CALLS, ROUNDS = 24, 4
"""A window has at least so many calls, and so many for each place in flight."""

FILLED = 0.8
"""The least share of a level that is in flight on average. With less there is nothing to learn."""

HOPELESS, HOPELESS_CALLS = 1.35, 8
"""A tried level that after so many calls brings less than the held one by this is left."""

CHANGED = 1.5
"""A held level that is faster or slower by this is another engine; less is chance."""

BACK_OFF = 0.7
"""What is left of a held level that the engine refuses or lets time out."""

REST = 5
"""Windows for which a level rests where neither way pays."""

TIMEOUTS, TIMEOUT_SHARE = 2, 0.1
"""So many time-outs, and more than this share of the window: fewer are their prompts' own fault."""

CALL_TOKENS = 70
"""What a call costs beside its answer, in output tokens: about the prompt of a chunk."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that ended, with an answer where it had no trouble. Times in seconds of one clock."""

    began: float
    ended: float
    output_tokens: int | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """What an engine did with so many calls in flight: `rate` is in output tokens a second."""

    in_flight: float
    rate: float

    def pays(self, other: "Level") -> bool:
        """Whether this level is worth its calls in flight, compared with another."""
        least: float = (self.in_flight / other.in_flight) ** WORTH
        return self.rate / other.rate >= least

    def and_then(self, later: "Level") -> "Level":
        """The same level over two windows."""
        return Level((self.in_flight + later.in_flight) / 2, (self.rate + later.rate) / 2)


@dataclass(slots=True)
class Window:
    """Calls at one level."""

    answered: int = 0
    timeouts: int = 0
    seconds: float = 0.0
    tokens: int = 0
    in_flight: int = 0

    def add(self, call: Ended, in_flight: int) -> None:
        """One more call was answered."""
        self.answered += 1
        self.seconds += call.ended - call.began
        self.tokens += CALL_TOKENS + (call.output_tokens or 0)
        self.in_flight += in_flight

    @property
    def times_out(self) -> bool:
        """Whether the engine lets calls time out, and not a prompt its own."""
        ended = self.answered + self.timeouts
        return self.timeouts >= TIMEOUTS and self.timeouts > TIMEOUT_SHARE * ended

    def level(self) -> Level:
        """What these calls came to."""
        in_flight = self.in_flight / self.answered
        return Level(in_flight, in_flight * self.tokens / max(self.seconds, 1e-6))


class Controller:
    """Finds the level of one engine, within 1 and `most`, and follows it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(FIRST, most)
        """How many calls may be in flight now: the held level, or one that is tried."""
        self._held = self.limit
        self._known: Level | None = None
        """What the engine does at the held level; None: not known yet."""
        self._ceiling = most
        """More did not pay, or was refused: not tried again before the level has rested."""
        self._step, self._up = self.limit, True
        self._misses = 0
        """Ways, up and down, that were found not to pay."""
        self._rest = 0
        """Windows that the held level still rests for."""
        self._window = Window()
        self._since = self._backed_off = -math.inf
        """When this level began, and when one was last given up."""

    def ended(self, call: Ended, in_flight: int) -> int:
        """A call ended, one of so many in flight. Returns how many may be from now on."""
        match call.trouble:
            case None if call.began >= self._since:
                self._window.add(call, in_flight)
                self._look(call.ended)
            case Trouble.UNAVAILABLE | Trouble.RATE_LIMITED if call.began >= self._since:
                self._refused(in_flight, call.ended)
            case Trouble.TIMEOUT if call.began >= self._backed_off:
                self._window.timeouts += 1
                if self._window.times_out:
                    self._give_up(self.limit - 1, call.ended)
            case _:
                pass  # of another level, or no matter of how many
        return self.limit

    def _refused(self, in_flight: int, now: float) -> None:
        """An engine that answers nobody is away: that is no matter of how many."""
        if self.limit > self._held or self._window.answered:
            self._give_up(min(in_flight, self.limit) - 1, now)

    def _give_up(self, ceiling: int, now: float) -> None:
        """The engine does not bear this level."""
        self._backed_off = now
        if self.limit > self._held:
            self._miss(ceiling, now)
            return
        self._held, self._known = max(1, int(self.limit * BACK_OFF)), None
        self._begin(up=True)
        self._ceiling = max(self._held, ceiling)
        self._go(self._held, now)

    def _look(self, now: float) -> None:
        """Judge the level where its window says enough."""
        level, known = self._window.level(), self._known
        trying = known is not None and self.limit != self._held
        if self._window.answered < self._enough(level, known if trying else None):
            return
        if level.in_flight < FILLED * self.limit:
            self._window = Window()
        elif known is None:
            self._known = level
            self._try(now)
        elif trying:
            self._tried(level, known, now)
        else:
            self._seen(level, known, now)

    def _enough(self, level: Level, held: Level | None) -> int:
        """Calls after which it can be told what a level is worth."""
        if held is not None and level.rate * HOPELESS < held.rate:
            return HOPELESS_CALLS
        return self.limit * max(ROUNDS, -(-CALLS // self.limit))

    def _tried(self, level: Level, known: Level, now: float) -> None:
        if not level.pays(known):
            self._miss(self.limit - 1, now)
            return
        self._held, self._known = self.limit, level
        self._misses = 0
        self._step = min(2 * self._step, max(1, self._held // 2))
        self._try(now)

    def _miss(self, ceiling: int, now: float) -> None:
        """Back to the held level, which is looked at anew before the other way is tried."""
        if self._up:
            self._ceiling = max(self._held, ceiling)
        if not self._up or self._ceiling - self._held <= self._held // 4:
            self._turn()
        self._go(self._held, now)

    def _seen(self, level: Level, known: Level, now: float) -> None:
        """The held level again."""
        if not 1 / CHANGED < level.rate / known.rate < CHANGED:
            self._known = level
            self._begin(up=level.rate > known.rate)
        else:
            self._known = known.and_then(level)
            self._rest_on()
        self._try(now)

    def _rest_on(self) -> None:
        """One window of rest is over; after the last what did not pay may be tried again."""
        if self._rest:
            self._rest -= 1
            if not self._rest:
                self._ceiling, self._misses = self.most, 0

    def _begin(self, *, up: bool) -> None:
        """Search as if nothing had been tried."""
        self._up, self._step = up, self._held
        self._misses = self._rest = 0
        self._ceiling = self.most

    def _try(self, now: float) -> None:
        """The next level to be tried; none where both ways were, or the level rests."""
        while self._misses < 2:
            level = self._next()
            if level != self._held:
                self._go(level, now)
                return
            self._turn()
        if not self._rest:
            self._rest, self._up = REST, True
        self._window = Window()

    def _turn(self) -> None:
        """This way does not pay: the other one, in small steps."""
        self._misses += 1
        self._up, self._step = not self._up, max(1, self._held // 4)

    def _next(self) -> int:
        """At most twice as much as is held, at least half of it."""
        if not self._up:
            return max(self._held - min(self._step, self._held // 2), 1)
        if self._ceiling < self.most:
            return self._held + (self._ceiling + 1 - self._held) // 2
        return min(self._held + min(self._step, self._held), self.most)

    def _go(self, level: int, now: float) -> None:
        self.limit, self._since, self._window = level, now, Window()
