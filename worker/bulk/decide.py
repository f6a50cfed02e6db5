"""What is to be done next about a bulk, and about jobs that wait for one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from models.engines import EngineConfig
from models.states import BulkState
from worker.bulk.deadline import has_time, last_moment, live_from
from worker.llm.batches import Bounds, Progress
from worker.llm.engine import Concern, EngineError, Trouble
from worker.llm.wordings import trouble_in

FULL_JOBS = 5_000
"""What waits for the rest of its batch is handed in when there is so much of it."""

LONGEST_PAUSE_S = 600.0
"""Between two looks at what does not go on."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """A row of `bulks`, as a worker takes it."""

    id: UUID
    line_id: int
    engine: str
    model: str
    host: str
    state: BulkState
    requests: int
    bytes: int
    handed_in: int
    """Jobs that stand in bulks of its engine, this one's among them."""
    came_back: int
    """Jobs of it that are back in line."""
    upload: str | None
    remote: str | None
    done: int
    tries: int
    sent_at: datetime | None
    deadline: datetime | None
    cancelled: bool
    """Whether its batch is."""
    now: datetime
    """By Postgres' clock."""


class Step(Enum):
    """What a worker does about a bulk."""

    GATHER = auto()  # put more jobs into it
    UPLOAD = auto()
    CREATE = auto()
    FIND = auto()  # look whether the provider began
    LOOK = auto()  # how far it is
    STOP = auto()
    FETCH = auto()
    FORGET = auto()  # have the provider delete it
    GIVE_BACK = auto()  # nothing of it was begun: its jobs run at once


def next_step(bulk: Bulk, config: EngineConfig) -> Step:
    """What is to be done about a bulk now."""
    match bulk.state:
        case BulkState.GATHERING | BulkState.GATHERED | BulkState.UPLOADED if not _wanted(
            bulk, config
        ):
            return Step.GIVE_BACK
        case BulkState.GATHERING:
            return Step.GATHER
        case BulkState.GATHERED:
            return Step.UPLOAD
        case BulkState.UPLOADED:
            return Step.CREATE
        case BulkState.CREATING:
            return Step.FIND
        case BulkState.SUBMITTED:
            return Step.LOOK if _wanted(bulk, config) else Step.STOP
        case BulkState.STOPPING:
            return Step.LOOK
        case BulkState.ENDED:
            return Step.FETCH
        case _:  # fetched; nobody takes one that is closed
            return Step.FORGET


def _wanted(bulk: Bulk, config: EngineConfig) -> bool:
    """Whether its batch still has the time for it."""
    last = last_moment(bulk.deadline, bulk.handed_in, config)
    return not bulk.cancelled and (last is None or bulk.now < last)


class Due(Enum):
    """What is to be done about jobs that wait for a bulk."""

    GATHER = auto()
    RUN_LIVE = auto()  # they are asked one by one
    WAIT = auto()  # for the rest of their batch


def due(
    jobs: int,
    deadline: datetime | None,
    config: EngineConfig,
    bounds: Bounds,
    now: datetime,
    *,
    more_comes: bool,
    handed_in: int = 0,
    allowed: bool = True,
) -> Due:
    """What so many jobs of a line come to. The queues of providers are long: better once, with all
    that there is.

    `handed_in`: jobs that stand in bulks of their engine; `allowed`: whether the policy of their
    batch still says so.
    """
    if not allowed or not has_time(deadline, jobs + handed_in, config, now):
        return Due.RUN_LIVE
    if more_comes and jobs < min(FULL_JOBS, bounds.requests):
        return Due.WAIT
    return Due.GATHER if jobs >= bounds.fewest else Due.RUN_LIVE


def pause_s(tries: int, poll_s: float) -> float:
    """Until what failed so often is tried again, in seconds: twice as long each time."""
    return float(min(poll_s * 2.0 ** min(tries, 10), max(LONGEST_PAUSE_S, poll_s)))


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a bulk is after a step, and when to look at it next: parameters of bulk/move.sql."""

    state: BulkState | None
    """None: where it is already."""
    delay_s: float = 0.0
    upload: str | None = None
    remote: str | None = None
    done: int | None = None
    detail: str | None = None
    """What went wrong; None: nothing."""
    given_up: str | None = None
    """Why its jobs are asked one by one."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Nothing came of it: its jobs run at once. `lost`: it may be on the bill all the same. `ours`:
    whether what the provider keeps of it is surely its own, and may be deleted there."""

    why: str
    lost: bool = False
    ours: bool = True


TRIES = 5
"""After so many looks in vain a batch that its provider does not know is gone, and one that cannot
be deleted is let be."""

GONE = frozenset({404, 410})

SETTLED_POLLS = 3
"""So many pauses after it was told to begin a batch, a provider that lists none has not begun."""


def after_error(
    bulk: Bulk, step: Step, error: EngineError, config: EngineConfig
) -> Moved | GivenUp:
    """What follows from an error of the provider in a step.

    What was never begun is asked for one by one, where waiting mends nothing. What may have been
    begun is looked for before it is begun again: it would be paid twice. Only a deadline ends that.
    """
    said, again_s = str(error), pause_s(bulk.tries, config.batch_poll_s)
    if error.retry_after_s is not None:
        again_s = min(error.retry_after_s, LONGEST_PAUSE_S)
    passes = error.concern is Concern.PASSING
    match step:
        case Step.CREATE if error.maybe_billed:
            return Moved(BulkState.CREATING, config.batch_poll_s, detail=said)
        case Step.CREATE | Step.UPLOAD if not passes:
            return GivenUp(said)
        case Step.CREATE:
            return Moved(BulkState.UPLOADED, again_s, detail=said)
        case Step.LOOK | Step.FETCH | Step.STOP if error.status in GONE:
            if bulk.tries >= TRIES:
                return GivenUp(f"{said}: the provider does not know it any more", lost=True)
            return Moved(bulk.state, again_s, detail=said)
        case Step.FORGET if bulk.tries >= TRIES:
            return Moved(BulkState.CLOSED, detail=f"{NOT_DELETED}: {said}")
        case Step.FIND | Step.LOOK | Step.STOP | Step.FETCH if _too_late(bulk, config):
            return GivenUp(f"{said}: {NO_TIME}", lost=True)
        case _:
            return Moved(bulk.state, again_s, detail=said)


NOT_DELETED = "could not be deleted at the provider"
NO_TIME = "the deadline left no time to wait for it any longer"


def _too_late(bulk: Bulk, config: EngineConfig) -> bool:
    """Whether its jobs have to be asked one by one now, whatever the provider does."""
    back = live_from(bulk.deadline, bulk.handed_in, config)
    return back is not None and bulk.now >= back


def after_search(bulk: Bulk, remotes: Sequence[str], poll_s: float) -> Moved:
    """What follows from the provider's list of what may be this bulk."""
    if remotes:
        return Moved(BulkState.SUBMITTED, poll_s, remote=remotes[0])
    waited = (bulk.now - bulk.sent_at).total_seconds() if bulk.sent_at is not None else 0.0
    if waited < SETTLED_POLLS * poll_s:
        return Moved(BulkState.CREATING, poll_s)
    return Moved(BulkState.UPLOADED)


def after_look(bulk: Bulk, found: Progress, config: EngineConfig) -> Moved | GivenUp:
    """What follows from how far the provider has come."""
    if found.refused is not None and _waits_for_others(bulk, found.refused):
        return Moved(BulkState.UPLOADED, LONGEST_PAUSE_S, detail=found.refused)
    if found.refused is not None:
        return GivenUp(found.refused)
    if found.ended:
        return Moved(BulkState.ENDED, done=found.done)
    if _too_late(bulk, config):
        return GivenUp(f"the provider has not ended it: {NO_TIME}", lost=True)
    return Moved(bulk.state, config.batch_poll_s, done=found.done)


def _waits_for_others(bulk: Bulk, refused: str) -> bool:
    """Whether a batch was refused because the queue is full, and others of ours are in it: then it
    is begun later. One that is too much for an empty queue always will be."""
    full = trouble_in(refused) is Trouble.RATE_LIMITED
    return full and bulk.handed_in > bulk.requests


def stranded(bulk: Bulk, config: EngineConfig) -> Moved | GivenUp:
    """What becomes of a bulk whose provider no worker reaches any more: the engine has another
    address, or no batch API. What was begun is waited for as long as that can still be mended."""
    why = f"no worker reaches {bulk.host} with a batch API for {bulk.engine} any more"
    match bulk.state:
        case BulkState.GATHERING | BulkState.GATHERED | BulkState.UPLOADED:
            return GivenUp(why, ours=False)
        case BulkState.FETCHED:
            return Moved(BulkState.CLOSED, detail=f"{NOT_DELETED}: {why}")
        case _ if not _wanted(bulk, config):
            return GivenUp(why, lost=True, ours=False)
    mend = (
        "give it back its address and provider_batch, or its answers are lost with what they cost"
    )
    return Moved(bulk.state, LONGEST_PAUSE_S, detail=f"{why}: {mend}")


def in_time(bulk: Bulk, came: Moved, config: EngineConfig) -> Moved:
    """The same, looked at again no later than the deadline demands something."""
    find = (last_moment, live_from)
    moments = (moment(bulk.deadline, bulk.handed_in, config) for moment in find)
    left = [(at - bulk.now).total_seconds() for at in moments if at is not None and at > bulk.now]
    return replace(came, delay_s=min(came.delay_s, *left)) if left else came


@dataclass(slots=True)
class Read:
    """What was read of the replies of a batch."""

    replies: int = 0
    ours: int = 0
    """Of those, such as jobs of this bulk still waited for."""


def after_fetch(bulk: Bulk, read: Read, poll_s: float) -> Moved | GivenUp:
    """What follows when all replies that there are have been written down.

    Where the provider keeps no name of ours, another's batch may have been taken for this one. And
    what it says to have answered, and cannot be read, may be on the bill.
    """
    if read.replies and not read.ours and not bulk.came_back:
        return GivenUp("the batch that was found at the provider is another's", True, ours=False)
    if read.replies >= bulk.done:
        return Moved(BulkState.FETCHED)
    missing = f"{bulk.done - read.replies} replies of the provider cannot be read"
    if bulk.tries < TRIES:
        return Moved(BulkState.ENDED, pause_s(bulk.tries, poll_s), detail=missing)
    return GivenUp(missing, lost=True)
