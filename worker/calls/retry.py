"""What follows from a failure: pure decisions over values."""

import random
from dataclasses import dataclass

from models.failure import Failure
from worker.llm.engine import Concern, EngineError, Trouble

INTERNAL = "internal_error"
"""Category of what is a fault of our own code."""

DEADLY = 2
"""So many times did the engine go down in the middle of a call, the last time with no other: then
the same is sent to no other engine of that kind."""

BACKOFF_S, LONGEST_BACKOFF_S = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Back in line without an attempt spent: somebody else is the one in trouble."""

    failure: Failure
    delay_s: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Back in line, one attempt spent."""

    failure: Failure
    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Quarantined."""

    failure: Failure


Setback = Wait | Retry | GiveUp

ANOTHER_ENGINE_MAY = frozenset(
    {Trouble.CONTEXT_EXCEEDED, Trouble.CONTENT_FILTER, Trouble.TIMEOUT, Trouble.SERVER_ERROR}
)
"""What is about a prompt at this engine: the next one of its chain may well answer it."""


def after_engine_error(
    error: EngineError, *, phase: str, attempts: int, max_attempts: int, own: bool, pause_s: float
) -> Setback:
    """What to do with a job whose call failed.

    `own`: it is the prompt's fault, and no other's, says the engine's gate. Else the job waits and
    keeps its attempts. `attempts` counts the try that just failed.
    """
    passing = error.concern is Concern.PASSING
    failure = Failure(str(error.trouble), phase, passing, str(error))
    if not own:
        return Wait(failure, pause_s)
    return after_fault(failure, attempts=attempts, max_attempts=max_attempts)


def after_fault(failure: Failure, *, attempts: int, max_attempts: int) -> Setback:
    """What to do after a failure of the job's own."""
    if attempts >= max_attempts or not failure.retryable:
        return GiveUp(failure)
    return Retry(failure, backoff_s(attempts))


def internal(exc: Exception, *, phase: str, attempts: int, max_attempts: int) -> Setback:
    """What to do after a fault of our own code: an attempt, and the words for a report of it."""
    failure = Failure(INTERNAL, phase, True, f"{type(exc).__name__}: {exc}"[:500])
    return after_fault(failure, attempts=attempts, max_attempts=max_attempts)


def unwritable(exc: Exception, phase: str) -> Failure:
    """What came of it cannot be stored; the error may quote it, so only its kind is told."""
    return Failure(INTERNAL, phase, True, f"Postgres refuses the outcome: {type(exc).__name__}")


def backoff_s(attempts: int) -> float:
    """Exponential, jittered over the upper half: 0.5-1 s, 1-2 s ... at most a minute."""
    longest = min(BACKOFF_S * 2.0 ** min(attempts - 1, 16), LONGEST_BACKOFF_S)
    return random.uniform(longest / 2, longest)  # noqa: S311  # jitter, no secret
