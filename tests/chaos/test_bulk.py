"""Jobs by a provider's batches, 2,000 with 20 faults in `make chaos`: kill -9 at every step,
replies that are cut off or never come, batches that begin without a word, expire, are refused."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.scene import FRONTIER_MODEL, Scene, scene
from tests.recount import QUERY
from tests.waiting import wait_until

JOBS_OF_A_WAVE = 100
LITTLE = 3
"""Without --chaos-jobs every third fault alone."""
SETTINGS = """
provider_batch = "openai"
batch_poll_s = 1
"""


@dataclass(frozen=True)
class Strike:
    """What the next batch meets. `kill`: its worker, in the middle of that operation."""

    at: str
    fault: str = "timeout"
    done: bool = False
    kill: bool = False


STRIKES = [
    Strike("upload", kill=True),
    Strike("upload", done=True, kill=True),
    Strike("create", kill=True),
    Strike("create", done=True, kill=True),
    Strike("poll", kill=True),
    Strike("fetch", kill=True),
    Strike("fetch", done=True, kill=True),
    Strike("delete", kill=True),
    Strike("upload", "500"),
    Strike("upload", "cut"),
    Strike("create", "500", done=True),
    Strike("create", "cut", done=True),
    Strike("create", "429"),
    Strike("poll", "500"),
    Strike("poll", "429"),
    Strike("fetch", "cut_body"),
    Strike("delete", "500"),
]
FATES: list[dict[str, Any]] = [
    {"end": "expired", "finished": 40},
    {"end": "failed"},
    {"errors": {"3": "500", "50": "400"}},
]


@pytest.fixture
def place() -> Iterator[Scene]:
    with scene(latency="0.02", settings=SETTINGS) as made:
        yield made


def submit(place: Scene, wave: int) -> None:
    """A hundred documents with one question that goes to the frontier."""
    numbers = range(wave * JOBS_OF_A_WAVE, (wave + 1) * JOBS_OF_A_WAVE)
    lines = [json.dumps({"text": f"Letter {n} of Asha: {n} rupees."}) for n in numbers]
    words = ("--ask", "Sum it up.", "--task", "summary", "--allow-provider-batch")
    submitted = place.docmill.json("submit", "-", *words, stdin="\n".join(lines))
    place.batches.append(submitted["batch"])


def on_the_wire(place: Scene, operation: str) -> int:
    return int(place.frontier.stats()["batches"]["wire"].get(operation, 0))


def strike(place: Scene, wave: int, one: Strike) -> None:
    """Submit a wave, and let it meet this."""
    place.frontier.batch_fault(one.at, one.fault, done=one.done)
    before = on_the_wire(place, one.at)
    submit(place, wave)
    wait_until(lambda: on_the_wire(place, one.at) > before, timeout=90, what=f"it meets {one}")
    if not one.kill:
        return
    for worker in place.workers:
        if worker.pool == "frontier":
            os.killpg(worker.running.process.pid, signal.SIGKILL)
            worker.running.process.wait()
    place.tend()


@pytest.mark.timeout(900)
def test_nothing_is_lost_or_paid_twice_whatever_the_batches_meet(
    place: Scene, report: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    every = 1 if request.config.getoption("--chaos-jobs") else LITTLE
    strikes, fates = STRIKES[::every], FATES[::every]
    began = time.monotonic()
    for pool in ("ingest", "frontier", "frontier"):
        place.start(pool)
    for wave, one in enumerate(strikes):
        strike(place, wave, one)
    for wave, fate in enumerate(fates, start=len(strikes)):
        place.frontier.batch_fate(**fate)
        begun = place.frontier.stats()["batches"]["begun"]
        submit(place, wave)
        wait_until(
            lambda begun=begun: place.frontier.stats()["batches"]["begun"] > begun,
            timeout=90,
            what=f"a batch meets {fate}",
        )
    wanted = JOBS_OF_A_WAVE * len(place.batches)
    wait_until(lambda: place.finished() == wanted, timeout=240, what="all is done")
    wait_until(
        lambda: place.number("SELECT count(*) FROM bulks WHERE state <> 'closed'") == 0,
        timeout=60,
        what="every bulk is closed",
    )
    place.end()
    report(f"bulk: {len(strikes) + len(fates)} faults, {time.monotonic() - began:.0f} s")
    check(place, wanted, report, failed=sum("errors" in fate for fate in fates))


def check(place: Scene, wanted: int, report: Callable[[str], None], *, failed: int) -> None:
    """The ledger is the bill, to a token, and no question stands on it twice."""
    live = place.frontier.settled()
    bill = live["batches"]
    states = dict(place.ask("SELECT state, count(*) FROM jobs GROUP BY 1"))
    [(calls, asked, written, batched, lost)] = place.ask(
        "SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), "
        "count(*) FILTER (WHERE price_source LIKE '%%provider batch' AND state = 'settled'), "
        "count(*) FILTER (WHERE state = 'lost') FROM calls WHERE model_asked = %s",
        FRONTIER_MODEL,
    )
    billed = (bill["read"] + live["billed_input"], bill["written"] + live["billed_output"])
    report(
        f"bulk: {wanted} jobs: {states}, "
        f"{bill['begun']} batches begun, {bill['answered']} answered in batches, "
        f"{live['answered']} at once; calls {calls}, lost {lost}; "
        f"bill {billed[0]}+{billed[1]} tokens, ledger {asked}+{written}"
    )
    assert states == {"done": wanted}
    assert place.number("SELECT count(*) FROM answers") == wanted
    assert (asked, written) == billed
    assert batched == bill["answered"]
    assert (bill["most_of_one"], lost) == (1, failed)  # a 500 may be on a bill
    assert bill["answered"] + live["answered"] == wanted
    assert place.ask(QUERY) == []
