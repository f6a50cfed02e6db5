"""(k) What one stroke does to a great many jobs, and to everybody else meanwhile.

A day's budget that ends at midnight with 200,000 jobs behind it; `docmill resume` and `docmill
cancel` of a million. How soon each acts, and for how long at most another batch stands still.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.rig import Measured, bench, connect, texts, until
from benchmarks.scale import Size, seed
from tests.commands import Docmill
from tests.rows import Connection
from tests.stubs.process import StubProcess, stub_process

WORKERS = 3
FIRST_CALL_S, STANDS_STILL_S, ACTS_S = 5.0, 1.0, 2.0

MIDNIGHT_IN_S = 5.0
SETTLES_S = 5.0
"""How long the other batch is watched after each stroke."""

MIDNIGHT = (
    "INSERT INTO holds (zone, code, about, until, passing) VALUES ('frontier', 'day_budget', '{}', "
    "now() + %s * interval '1 second', false)"
)

STOOD_STILL = (
    "SELECT max(extract(epoch FROM gap))::float FROM (SELECT finished_at - lag(finished_at) OVER "
    "(ORDER BY finished_at) AS gap FROM jobs WHERE batch_id = %s AND finished_at > %s) g"
)


@dataclass(frozen=True)
class Place:
    """Three workers of the frontier, whose calls are counted, and a batch that others work on."""

    docmill: Docmill
    db: Connection
    frontier: StubProcess
    other: int

    def calls(self) -> int:
        """How many calls have reached the frontier."""
        return int(self.frontier.stats()["requests"])

    @contextmanager
    def watching(self) -> Iterator[list[float]]:
        """For how long at most the other batch stood still meanwhile, in seconds."""
        since = self.db.execute("SELECT now()").fetchone()
        found: list[float] = []
        yield found
        time.sleep(SETTLES_S)
        row = self.db.execute(STOOD_STILL, (self.other, since[0])).fetchone()  # type: ignore[index]
        found.append(float(row[0]))  # type: ignore[index]


def run(held: int, many: int, others: int) -> Iterator[Measured]:
    """Three sizes: jobs held until midnight, those of a batch that is resumed and cancelled, and
    those of the batch that goes on meanwhile."""
    with _place(held, many, others) as (place, of_day, of_stroke):
        yield from _midnight(place, of_day, held)
        yield from _resumed(place, of_stroke, many)
        yield from _cancelled(place, of_stroke, many)


@contextmanager
def _place(held: int, many: int, others: int) -> Iterator[tuple[Place, int, int]]:
    with ExitStack() as stack:
        frontier = stack.enter_context(
            stub_process("openai", "--models", "m", "--latency", "0.2:0.4")
        )
        docmill, _ = stack.enter_context(bench(slots="8", latency="0.2:0.4"))
        docmill.environment["FRONTIER_BASE_URL"] = f"{frontier.url}/v1"
        docmill.environment["FRONTIER_API_KEY"] = "none"
        ask = ("--ask", "Find the vendor.", "--task", "extraction", "--json")
        other = docmill.json("submit", "-", *ask[:-1], stdin=texts(others))["batch"]
        db = stack.enter_context(connect(docmill))
        [of_day] = seed(db, Size(held, 1, 0))
        [of_stroke] = seed(db, Size(many, 1, 0))
        db.execute("UPDATE batches SET max_cost_usd = NULL")  # their model has no price
        docmill.run("pause", str(of_stroke.id))
        db.execute(MIDNIGHT, (3600,))
        for pool in ("ingest", "local", *["frontier"] * WORKERS):
            stack.enter_context(docmill.worker(pool))
        done = "SELECT count(*) FROM jobs WHERE batch_id = %s AND state = 'done'"
        until(lambda: _number(db, done, other) > 50)
        yield Place(docmill, db, frontier, other), of_day.id, of_stroke.id


def _number(db: Connection, query: str, *params: object) -> int:
    row = db.execute(query, params).fetchone()
    return int(row[0]) if row is not None else 0


def _midnight(place: Place, batch: int, jobs: int) -> Iterator[Measured]:
    assert place.calls() == 0
    place.db.execute("UPDATE holds SET until = now() + %s * interval '1 second'", (MIDNIGHT_IN_S,))
    with place.watching() as still:
        time.sleep(MIDNIGHT_IN_S)
        took = _seconds(lambda: place.calls() > 0)
    name = f"k: {jobs:,} jobs held until midnight"
    yield Measured(f"{name}: first call after", took, FIRST_CALL_S, True, "s")
    yield Measured(f"{name}: another batch stands still", still[0], STANDS_STILL_S, True, "s")
    place.docmill.run("pause", str(batch))


def _resumed(place: Place, batch: int, jobs: int) -> Iterator[Measured]:
    called = "SELECT count(*) FROM (SELECT FROM calls WHERE batch_id = %s LIMIT 1) c"
    with place.watching() as still:
        began = time.perf_counter()
        place.docmill.run("resume", str(batch))
        until(lambda: _number(place.db, called, batch) > 0)
        took = time.perf_counter() - began
    name = f"k: resume of {jobs:,} jobs"
    yield Measured(f"{name}: first call after", took, ACTS_S, True, "s")
    yield Measured(f"{name}: another batch stands still", still[0], STANDS_STILL_S, True, "s")


def _cancelled(place: Place, batch: int, jobs: int) -> Iterator[Measured]:
    begun = "SELECT count(*) FROM calls WHERE batch_id = %s AND started_at > %s"
    with place.watching() as still:
        began = time.perf_counter()
        place.docmill.run("cancel", str(batch))
        took = time.perf_counter() - began
        after = place.db.execute("SELECT now()").fetchone()
    name = f"k: cancel of {jobs:,} jobs"
    late = _number(place.db, begun, batch, after[0])  # type: ignore[index]
    yield Measured(f"{name}: has acted after", took, ACTS_S, True, "s")
    yield Measured(f"{name}: calls begun after it", late, 0, True)
    yield Measured(f"{name}: another batch stands still", still[0], STANDS_STILL_S, True, "s")
    swept = "SELECT count(*) FROM batches WHERE id = %s AND finished_at IS NOT NULL"
    seconds = _seconds(lambda: _number(place.db, swept, batch) > 0)
    yield Measured(f"{name}: its lines are cleared after", SETTLES_S + seconds, unit="s")


def _seconds(condition: Callable[[], bool]) -> float:
    began = time.perf_counter()
    until(condition)
    return time.perf_counter() - began
