"""Nothing lost, nothing twice: a seeded schedule of faults over a whole run.

Short form in `make test`; the long form is
    pytest tests/chaos/test_chaos.py --chaos-faults 60 --chaos-jobs 2400 --chaos-seed 1
"""

import shutil
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.chaos.faults import strike
from tests.chaos.figures import Figures, figures
from tests.chaos.scene import Scene, jobs_of, scene
from tests.chaos.schedule import Kind, schedule
from tests.waiting import wait_until

POOLS = ("ingest", "local", "frontier", "frontier")
FAULTS, JOBS, SEED = len(Kind), 300, 1
PATIENCE_S = 90.0
"""Without any job finishing for this long, a run is stuck."""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Scene]:
    with scene() as made:
        monkeypatch.setenv("REDIS_URL", made.redis_url)  # for the messages that are repeated
        yield made
        for log in made.docmill.folder.glob("*.log"):
            shutil.copy(log, tmp_path)


@pytest.mark.timeout(1800)
def test_no_fault_loses_or_repeats_a_result(
    place: Scene, request: pytest.FixtureRequest, report: Callable[[str], None]
) -> None:
    option = request.config.getoption
    faults = option("chaos_faults", None) or FAULTS
    jobs = option("chaos_jobs", None) or JOBS
    documents = next(number for number in count(1) if jobs_of(number) >= jobs)
    seed = option("chaos_seed", None) or SEED
    began = time.monotonic()

    wanted = _run(place, seed, faults, documents)
    found = figures(place, seed=seed, wanted=wanted, seconds=time.monotonic() - began)

    for line in found.lines():
        report(line)
    _judge(found, place)


def _run(place: Scene, seed: int, faults: int, documents: int) -> int:
    wanted = jobs_of(documents)
    strikes = schedule(seed, faults, wanted)
    waves = 1 + sum(one.kind is Kind.KILL_INGEST for one in strikes)
    place.waves = [documents // waves + (n < documents % waves) for n in range(waves)]
    place.submit_wave()
    for pool in POOLS:
        place.start(pool)
    for one in strikes:
        _until(place, min(one.after, _submitted(place, documents)))
        strike(place, one)
    while place.waves:
        place.submit_wave()
    _until(place, wanted)
    _until_awake(place)
    closed = "SELECT bool_and(state = 'finished') FROM batches"
    wait_until(lambda: place.number(closed), timeout=PATIENCE_S, what="every batch is finished")
    place.end()
    return wanted


def _submitted(place: Scene, documents: int) -> int:
    """Jobs that can be finished by now: nearly all that were submitted."""
    return jobs_of(documents - sum(place.waves)) * 9 // 10


def _until(place: Scene, finished: int) -> None:
    """Wait until so many jobs are finished, tending the workers."""
    now = 0

    def went_on() -> bool:
        place.tend()
        return place.finished() > now

    while (now := place.finished()) < finished:
        wait_until(went_on, timeout=PATIENCE_S, every=0.05, what=f"more than {now} of {finished}")


def _until_awake(place: Scene) -> None:
    """Late sleepers have to find that their jobs are long done."""

    def awake() -> bool:
        place.tend()
        return all(worker.asleep_since is None for worker in place.workers)

    wait_until(awake, timeout=PATIENCE_S, every=0.05, what="every worker is awake")


def _judge(found: Figures, place: Scene) -> None:
    assert place.unexpected_ends == []
    assert found.lost == 0, found.failed
    assert found.duplicates == 0
    assert found.most_answers_of_a_job == 1
    assert found.answers_without_call == 0
    assert found.parts_done == found.parts > 0
    assert found.offences == []
    assert found.left_over == 0
    assert found.repeats <= found.exposed
    assert found.phantoms == 0
    for ledger in found.ledgers:
        assert ledger.adds_up, str(ledger)
        assert ledger.reserved == 0
