"""(f) What a job leaves behind: memory of the workers, bytes in Redis and Postgres, and how often
its workers talk to Postgres.

Every job is read, routed and run; all texts are distinct. Memory is the resident memory of a
pool's process and its children. Its figure is the end over 20 % of the jobs, when caches and
connection pools are full: 1.05 of about 100 MiB over 80,000 jobs is some 60 bytes a job, so that
a list that grows by one small object per job misses the bar.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import psutil
import redis

from benchmarks.rig import Measured, bench, connect, count, texts, until
from benchmarks.round_trips import Traffic, relay
from models.embedded import attach_postgres, attach_valkey
from tests.commands import Docmill, Running

ASK = "Find the total."
SLOTS = "64"

MEBIBYTE = 1_048_576
WARM = 0.2
"""Share of the jobs after which memory has to be flat."""

LOOK_S = 0.25
PATIENCE_S = 3600.0

ROUND_TRIP_JOBS = 4_000
TABLES = ("documents", "chunks", "jobs", "calls", "answers")
STAGES = {
    "ingest": ("ingest/claim", "ingest/finish"),
    "run": ("run/claim", "run/finish"),
}
"""What a stage asks of Postgres for its work: a claim and a finish."""

SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size(%s::regclass)) "
    "FROM pg_partition_tree(%s::regclass)"
)
"""Of a table with all its partitions; without any, its tree is empty."""

READ = "SELECT count(*) FROM documents WHERE state <> 'pending' AND state <> 'running'"
DONE = "SELECT count(*) FROM jobs WHERE state = 'done'"


def run(jobs: int) -> Iterator[Measured]:
    """Memory and bytes over this many jobs, then round trips over fewer."""
    with bench(slots="256") as (docmill, _stub):
        yield from _stored(docmill, jobs)
    fewer = min(jobs, ROUND_TRIP_JOBS)
    with bench(slots="256") as (docmill, _stub):
        yield from _talked(_traffic(docmill, fewer), fewer)


@dataclass(frozen=True)
class Look:
    """What one look at a pool at work found."""

    done: int
    worker_mib: float
    redis_bytes: int


def _stored(docmill: Docmill, jobs: int) -> Iterator[Measured]:
    with redis.Redis.from_url(attach_valkey(docmill.folder / ".docmill")) as client:
        empty = _redis_bytes(client)
        docmill.run("submit", "-", "--ask", ASK, stdin=texts(jobs))
        looks = []
        for pool, query in (("ingest", READ), ("local", DONE)):
            seen = _watch(docmill, pool, query, jobs, client)
            yield from _memory(pool, seen, jobs)
            looks += seen
    most = max(look.redis_bytes for look in looks) - empty
    yield Measured("f: most bytes in Redis per waiting job", most / jobs, unit="B")
    yield from _tables(docmill, jobs)


def _watch(docmill: Docmill, pool: str, query: str, jobs: int, client: "redis.Redis") -> list[Look]:
    """Look at a pool until it has done all jobs."""
    looks: list[Look] = []
    with connect(docmill) as database, docmill.worker(pool, *_flags(pool)) as worker:
        deadline = time.monotonic() + PATIENCE_S
        while not looks or looks[-1].done < jobs:
            if time.monotonic() > deadline:
                raise TimeoutError(pool)
            time.sleep(LOOK_S)
            looks.append(Look(count(database, query), _mib(worker), _redis_bytes(client)))
    return looks


def _flags(pool: str) -> tuple[str, ...]:
    return ("--slots", SLOTS) if pool == "local" else ()


def _mib(worker: Running) -> float:
    process = psutil.Process(worker.process.pid)
    family = [process, *process.children(recursive=True)]
    return float(sum(member.memory_info().rss for member in family)) / MEBIBYTE


def _redis_bytes(client: "redis.Redis") -> int:
    return int(client.info("memory")["used_memory"])


def _memory(pool: str, looks: list[Look], jobs: int) -> Iterator[Measured]:
    warm = next(look for look in looks if look.done >= jobs * WARM)
    grown = looks[-1].worker_mib / warm.worker_mib
    yield Measured(f"f: memory of the {pool} worker", looks[-1].worker_mib, unit="MiB")
    yield Measured(f"f: memory of the {pool} worker, end / 20 % of the jobs", grown, 1.05, True)


def _tables(docmill: Docmill, jobs: int) -> Iterator[Measured]:
    """Rows and indexes, dead rows not yet vacuumed included."""
    with connect(docmill) as database:
        sizes = {table: count(database, SIZE, table, table) / jobs for table in TABLES}
    for table, size in sizes.items():
        yield Measured(f"f: bytes in Postgres per job, {table}", size, unit="B")
    yield Measured("f: bytes in Postgres per job", sum(sizes.values()), unit="B")


def _traffic(docmill: Docmill, jobs: int) -> Traffic:
    docmill.run("submit", "-", "--ask", ASK, stdin=texts(jobs))
    with relay(attach_postgres(docmill.folder / ".docmill")) as (url, traffic):
        relayed = replace(docmill, environment={**docmill.environment, "DATABASE_URL": url})
        with connect(docmill) as database:
            for pool, query in (("ingest", READ), ("local", DONE)):
                with relayed.worker(pool, *_flags(pool)):
                    until(lambda query=query: count(database, query) == jobs)  # type: ignore[misc]
    return traffic


def _talked(traffic: Traffic, jobs: int) -> Iterator[Measured]:
    """A claim takes a micro-batch over; what ends together is finished in one transaction."""
    for stage, (claim, finish) in STAGES.items():
        claims = traffic.units[claim]
        trips = traffic.round_trips[claim] + traffic.round_trips[finish]
        yield Measured(f"f: SQL round trips per micro-batch, {stage}", trips / claims, 2.0, True)
        yield Measured(f"f: items per claim, {stage}", jobs / claims)
        yield Measured(f"f: items per finish, {stage}", jobs / traffic.units[finish])
    trips = sum(traffic.round_trips.values())
    yield Measured("f: SQL round trips per job, all stages and upkeep", trips / jobs)
    yield Measured("f: SQL statements per job, all stages and upkeep", traffic.statements / jobs)
