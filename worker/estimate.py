"""How long a batch would take, from how fast its queues went of late. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.deadline import duration, to_the_minute


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a queue goes: a row of the producer's `paces.sql`."""

    queue: str
    engine: str
    slots: int
    """Of workers that live; all queues of an engine share them."""
    waiting: int
    """Jobs that wait in it or are under way."""
    tokens_per_second: float
    """Of prompt and answer, in one slot."""
    calls: float
    """Of a job, on average, those that mend an answer among them; so are the tokens."""
    input_tokens: float
    output_tokens: float

    def seconds(self, jobs: int, input_tokens: float | None = None) -> float:
        """How long all its slots take for so many jobs. `input_tokens`: of their first prompts;
        None: like those of late."""
        prompts = jobs * self.input_tokens if input_tokens is None else input_tokens * self.calls
        return (prompts + jobs * self.output_tokens) / (self.tokens_per_second * self.slots)


@dataclass(frozen=True, slots=True)
class Work:
    """What a batch would bring to a queue."""

    queue: str
    jobs: int
    input_tokens: int | None
    """Of the first prompts of all of them; None: like those of late."""


@dataclass(frozen=True, slots=True)
class Takes:
    """So long until a batch would be done."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can know how long, and why."""

    why: str


def estimate(work: Sequence[Work], paces: Mapping[str, Pace]) -> Takes | Unknown:
    """How long until what waits and this work are done: of the engines that it needs the one that
    takes longest, for they work side by side. An engine's queues take turns in its slots.

    Reading, escalation and the order of work are left out.
    """
    for queue in (part.queue for part in work):
        if queue not in paces:
            return Unknown(f"no call of {queue} was measured in the last day")
        if not paces[queue].slots:
            return Unknown(f"no worker serves {queue}")
    engines: dict[str, float] = defaultdict(float)
    for part in work:
        pace = paces[part.queue]
        engines[pace.engine] += pace.seconds(part.jobs, part.input_tokens)
    for pace in paces.values():
        if pace.engine in engines and pace.slots:
            engines[pace.engine] += pace.seconds(pace.waiting)
    return Takes(max(engines.values(), default=0.0))


def fits(found: Takes | Unknown, deadline: datetime, now: datetime) -> bool | None:
    """Whether it is done in time; None: nobody can know."""
    match found:
        case Takes(seconds):
            return now + timedelta(seconds=seconds) <= deadline
        case Unknown():
            return None


def sentence(found: Takes | Unknown, deadline: datetime, now: datetime) -> str:
    """Whether it fits, for people."""
    match found:
        case Unknown(why):
            return f"cannot know whether it fits: {why}"
        case Takes(seconds):
            done = now + timedelta(seconds=seconds)
            about = f"about {duration(seconds)}, done by {to_the_minute(done, now)}"
            if done <= deadline:
                return f"fits: {about}"
            late = duration((done - deadline).total_seconds())
            return (
                f"does not fit: {about}, late by {late}; more slots, another engine or a later "
                "deadline"
            )
