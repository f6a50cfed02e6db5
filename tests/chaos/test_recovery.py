"""How soon work is at full speed after a service is back. Longer outages with --chaos-faults."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.faults import kill_server
from tests.chaos.scene import Scene, scene
from tests.embedded_users import server_pid, state
from tests.waiting import wait_until

SHORT_S, LONG_S = 2.5, 20.0
"""How long a service is away."""

FULL_SPEED_WITHIN_S = 5.0
ALMOST = 0.8
"""The part of the speed before the outage that counts as full speed."""

WINDOW_S = 1.0


class Speedometer:
    """Answers a second of both engines, over the last second."""

    def __init__(self, place: Scene) -> None:
        self._place = place
        self._seen: deque[tuple[float, int]] = deque()

    def look(self) -> float:
        """The speed now; 0 until a whole window was seen."""
        now = time.monotonic()
        self._seen.append((now, self._place.frontier.stats()["answered"]))
        while self._seen[0][0] < now - WINDOW_S - 0.1:
            self._seen.popleft()
        (since, first), (_, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - since) if now - since > WINDOW_S * 0.9 else 0.0

    def until(self, condition: Callable[[float], bool], what: str) -> float:
        """Wait until the speed meets a condition; that speed."""
        met: list[float] = []

        def look() -> bool:
            speed = self.look()
            if condition(speed):
                met.append(speed)
            return bool(met)

        wait_until(look, timeout=60, what=what)
        return met[0]


@contextmanager
def engine_away(place: Scene) -> Iterator[None]:
    place.frontier.set(outage="refuse")
    yield
    place.frontier.set(outage="")


@contextmanager
def engine_busy(place: Scene) -> Iterator[None]:
    place.frontier.set(outage="503")
    yield
    place.frontier.set(outage="")


@contextmanager
def postgres_away(place: Scene) -> Iterator[None]:
    with server_away(place, "postgres"):
        yield


@contextmanager
def redis_away(place: Scene) -> Iterator[None]:
    with server_away(place, "valkey"):
        yield


@contextmanager
def server_away(place: Scene, name: str) -> Iterator[None]:
    """Killed, while its guardian is kept from starting it again."""
    guardian = state(place.home, name)["guardian"]
    os.kill(guardian, signal.SIGSTOP)
    kill_server(place, name)
    yield
    os.kill(guardian, signal.SIGCONT)
    url = state(place.home, name)["url"]
    wait_until(
        lambda: server_pid(place.home, name) and (state(place.home, name)["url"] or url),
        timeout=30,
        what=f"{name} is back",
    )


OUTAGES = {
    "frontier engine refuses connections": engine_away,
    "frontier engine answers 503": engine_busy,
    "Postgres": postgres_away,
    "Redis": redis_away,
}


@pytest.mark.timeout(600)
def test_after_an_outage_work_is_at_full_speed_within_seconds(
    request: pytest.FixtureRequest, report: Callable[[str], None]
) -> None:
    away_s = LONG_S if request.config.getoption("chaos_faults", None) else SHORT_S
    took = {}
    with scene(latency="0.4") as place:
        _fill(place, jobs=round(38 * len(OUTAGES) * 12))
        place.start("ingest")
        place.start("frontier")
        speed = Speedometer(place)
        speed.until(lambda now: now > 36, "it runs at full speed")
        for name, outage in OUTAGES.items():
            before = speed.until(lambda now: now > 36, "it runs at full speed again")
            with outage(place):
                time.sleep(away_s)
            back = time.monotonic()
            at_full = ALMOST * before
            speed.until(lambda now, at_full=at_full: now >= at_full, f"after: {name}")
            # What the window shows began a window ago.
            took[name] = max(0.0, time.monotonic() - back - WINDOW_S)
            report(f"{name} away for {away_s:g} s: full speed {took[name]:.1f} s after it is back")
    assert max(took.values()) <= FULL_SPEED_WITHIN_S, took


def _fill(place: Scene, jobs: int) -> None:
    lines = "\n".join(f'{{"id": "{n}", "text": "Letter {n} of Asha."}}' for n in range(jobs))
    place.docmill.run("submit", "-", "--ask", "Sum it up.", "--task", "summary", stdin=lines)
