"""Which fault strikes when: drawn by a seed, paced by finished jobs and not by the clock."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can go wrong."""

    KILL_INGEST = "kill -9 ingest worker"
    KILL_LOCAL = "kill -9 local worker"
    KILL_FRONTIER = "kill -9 frontier worker"
    TERM_WORKER = "SIGTERM a worker"
    STOP_WORKER = "SIGSTOP past the lease"
    FLUSH_REDIS = "FLUSHALL"
    KILL_REDIS = "kill -9 Redis"
    KILL_POSTGRES = "kill -9 Postgres"
    KILL_BACKEND = "kill -9 a Postgres backend"
    STOP_POSTGRES = "SIGSTOP Postgres"
    LOCK_TABLE = "a table locked by a stranger"
    PAUSE = "pause and resume"
    LOCAL_AWAY = "local engine away"
    FRONTIER_AWAY = "frontier engine away"
    STORM_429 = "storm of 429"
    STORM_500 = "storm of 500"
    REPEAT_MESSAGES = "duplicated messages"
    MOVE_LEASES = "leases jump to the past"


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault. `draw` seeds what it chooses for itself, such as its victim."""

    after: int
    """Jobs finished before it comes."""
    kind: Kind
    draw: int


FIRST, LAST = 0.02, 0.9
"""The part of the jobs during which faults come: a run ends in peace, so that it can end."""


def schedule(seed: int, faults: int, jobs: int) -> list[Strike]:
    """`faults` strikes over a run of `jobs`, evenly spread. Every kind comes before any repeats."""
    draw = random.Random(seed)
    kinds: list[Kind] = []
    while len(kinds) < faults:
        kinds += draw.sample(list(Kind), min(len(Kind), faults - len(kinds)))
    step = (LAST - FIRST) * jobs / max(faults, 1)
    return [
        Strike(int(FIRST * jobs + number * step), kind, draw.randrange(2**32))
        for number, kind in enumerate(kinds)
    ]
