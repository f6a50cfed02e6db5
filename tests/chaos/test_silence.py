"""Postgres is silent for longer than a lease lasts (SIGSTOP: connections stay, nothing is said).

A worker's leases run out by its own clock, and with them its calls: what it would bring back
belongs to somebody else by then, or to nobody.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.chaos.faults import silent_postgres
from tests.chaos.figures import figures
from tests.chaos.scene import Scene, jobs_of, scene
from tests.stubs.process import StubProcess
from tests.waiting import wait_until
from worker.settings import LEASE_S

SILENT_S = 40.0
DOCUMENTS = 60


@pytest.fixture
def place() -> Iterator[Scene]:
    with scene(latency="300") as made:
        yield made


@pytest.mark.timeout(600)
def test_no_call_outlives_its_lease_and_afterwards_all_is_done_once(
    place: Scene, report: Callable[[str], None]
) -> None:
    began = time.monotonic()
    place.waves = [DOCUMENTS]
    place.submit_wave()
    for pool in ("ingest", "local", "local", "frontier"):
        place.start(pool)
    engines = (place.local, place.frontier)
    wait_until(
        lambda: all(_in_flight(engine) > 4 for engine in engines), timeout=60, what="calls go out"
    )
    with place.exposing(*engines), silent_postgres(place):
        silent = time.monotonic()
        wait_until(
            lambda: not any(map(_in_flight, engines)),
            timeout=SILENT_S,
            what="every call has been cut off",
        )
        took = time.monotonic() - silent
        for engine in engines:
            engine.set(latency=[0.1, 0.3])
        time.sleep(max(0.0, SILENT_S - took))
        assert not any(map(_in_flight, engines))
    wanted = jobs_of(DOCUMENTS)
    wait_until(lambda: place.finished() == wanted, timeout=120, what="all is done")
    place.end()
    found = figures(place, seed=0, wanted=wanted, seconds=time.monotonic() - began)
    report(f"Postgres silent for {SILENT_S:g} s: the last call was cut off after {took:.1f} s")
    for line in found.lines():
        report(line)
    assert took <= LEASE_S + 1
    assert (found.done, found.lost, found.duplicates, found.phantoms) == (wanted, 0, 0, 0)
    assert found.most_answers_of_a_job == 1


def _in_flight(engine: StubProcess) -> int:
    return int(engine.stats()["in_flight"])
