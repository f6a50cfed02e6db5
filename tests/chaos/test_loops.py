"""A worker whose background loop breaks is no worker any more: it says so and leaves, and others
go on with what it held."""

from collections.abc import Iterator

import pytest

from tests.chaos.scene import JOBS_OF_A_LETTER, Scene, jobs_of, scene
from tests.waiting import wait_until

LOOPS = (
    "worker.flow.leases:Leases.run",
    "worker.flow.leader:Leadership.run",
    "worker.flow.pump:Pump.run",
    "worker.presence:Presence.run",
    "worker.presence:Presence.watch_models",
    "worker.process:WorkerProcess._replays",
)

DOCUMENTS = 120


@pytest.fixture
def place() -> Iterator[Scene]:
    with scene(latency="0.5") as made:
        yield made


@pytest.mark.timeout(600)
def test_a_worker_whose_loop_breaks_exits_with_1_and_another_goes_on(place: Scene) -> None:
    place.waves = [DOCUMENTS]
    place.submit_wave()
    place.start("ingest")
    wait_until(lambda: place.number("SELECT count(*) FROM jobs") > DOCUMENTS, what="jobs are made")
    for loop in LOOPS:
        broken = place.docmill.start(loop, "serve", "local", module="tests.chaos.broken_loop")
        assert broken.process.wait(60) == 1, broken.said()
        assert "broken on purpose" in broken.said()
        assert "a background loop ended: this process stops" in broken.said()
    before = place.finished()
    assert before > JOBS_OF_A_LETTER  # they worked, too
    place.start("local")
    place.start("frontier")
    wait_until(lambda: place.finished() == jobs_of(DOCUMENTS), timeout=120, what="all is done")
    assert place.number("SELECT count(*) FROM jobs WHERE state = 'failed'") == 0
    place.end()
