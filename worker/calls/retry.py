"""What follows from a failure: pure decisions over values."""

import random
from dataclasses import dataclass

from models.failure import Failure
from worker.llm.engine import EngineError, Trouble

BACKOFF_S, LONGEST_BACKOFF_S = 1.0, 60.0
MAX_WAITS = 100
"""Waits on a struggling engine after which a job that alone keeps failing is called at fault."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Back in line without an attempt spent: the engine is the one in trouble."""

    failure: Failure
    delay_s: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Back in line, one attempt spent."""

    failure: Failure
    delay_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Waits for a person: no number of tries will help before somebody acts."""

    failure: Failure
    reason: str
    delay_s: float | None = None
    """After which it goes on by itself."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Quarantined."""

    failure: Failure


Verdict = Wait | Retry | Hold | GiveUp

BUDGET = "budget"
"""Category of a hold that concerns one job; every other hold concerns all like it."""

WAITED_OUT = frozenset({Trouble.UNAVAILABLE, Trouble.RATE_LIMITED})
BLAMED_IN_TURN = frozenset({Trouble.SERVER_ERROR, Trouble.TIMEOUT})
HELD = {
    Trouble.QUOTA: "top up the quota or credit, then `docmill resume`",
    Trouble.AUTH: "check FRONTIER_API_KEY, then `docmill resume`",
    Trouble.MODEL_NOT_FOUND: "then `docmill resume`",
}


def after_engine_error(
    error: EngineError,
    *,
    phase: str,
    attempts: int,
    waits: int,
    max_attempts: int,
    engine_healthy: bool,
    pause_s: float,
) -> Verdict:
    """What to do with a job whose call failed.

    A failing call is its job's own fault only where the engine serves others well; otherwise the
    job waits (pause_s) and keeps its attempts. `attempts` counts the try that just failed.
    """
    trouble = error.trouble
    failure = Failure(str(trouble), phase, trouble in WAITED_OUT | BLAMED_IN_TURN, str(error))
    if trouble in HELD:
        return Hold(failure, f"{error}; {HELD[trouble]}")
    if trouble in WAITED_OUT:
        return Wait(failure, max(error.retry_after_s or 0.0, pause_s))
    if trouble in BLAMED_IN_TURN and not engine_healthy and waits < MAX_WAITS:
        return Wait(failure, pause_s)
    if trouble in BLAMED_IN_TURN:
        return after_fault(failure, attempts=attempts, max_attempts=max_attempts)
    return GiveUp(failure)


def after_fault(failure: Failure, *, attempts: int, max_attempts: int) -> Verdict:
    """What to do after a failure of the job's own."""
    if attempts >= max_attempts or not failure.retryable:
        return GiveUp(failure)
    return Retry(failure, backoff_s(attempts))


def backoff_s(attempts: int) -> float:
    """Exponential, jittered over the upper half: 0.5-1 s, 1-2 s ... at most a minute."""
    longest = min(BACKOFF_S * 2.0 ** min(attempts - 1, 16), LONGEST_BACKOFF_S)
    return random.uniform(longest / 2, longest)  # noqa: S311  # jitter, no secret
