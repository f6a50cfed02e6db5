"""What a deadline leaves room for: until when jobs may be with a provider, so that those which do
not come back can still be asked one by one. Pure."""

from datetime import datetime, timedelta

from models.engines import MINUTE_S, EngineConfig

STOPS_WITHIN = timedelta(minutes=15)
"""How long a provider may take to end a batch that it was told to stop."""

WINDOW = timedelta(hours=24)
"""How long a batch may take where it cannot be stopped."""

WORTH = timedelta(minutes=30)
"""Less time than that is not worth handing anything in: hardly anything would come back in it."""

CALL_S = 10.0
"""How long a call takes that nothing is known of."""

SPARE = 1.5
"""By so much is the time of calls that are made at once multiplied."""


def live_from(deadline: datetime | None, jobs: int, config: EngineConfig) -> datetime | None:
    """When so many jobs have to be back in line, so that they can still be asked one by one before
    the deadline; None: there is none."""
    if deadline is None:
        return None
    in_flight = config.max_in_flight or (config.slots if isinstance(config.slots, int) else 1)
    by_slots = jobs * CALL_S / in_flight
    by_limit = jobs * MINUTE_S / config.rpm if config.rpm is not None else 0.0
    return deadline - timedelta(seconds=SPARE * max(by_slots, by_limit))


def last_moment(deadline: datetime | None, jobs: int, config: EngineConfig) -> datetime | None:
    """When a provider has to be told to stop, so that so many jobs are back in time; None: there is
    no deadline."""
    back = live_from(deadline, jobs, config)
    return back and back - (STOPS_WITHIN if config.batch_stops else WINDOW)


def has_time(deadline: datetime | None, jobs: int, config: EngineConfig, now: datetime) -> bool:
    """Whether so many jobs may wait for a provider's batch."""
    last = last_moment(deadline, jobs, config)
    return last is None or now + WORTH <= last
