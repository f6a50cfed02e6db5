"""(m) Three models on twelve hosts, of which one is lost and one is slow: how busy the rest is."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.bare import ASK, MODEL
from benchmarks.hosts import DONE
from benchmarks.occupancy import LOOK_S
from benchmarks.rig import OTHER_MODEL, Measured, bench, connect, count, texts, until
from tests.stubs.process import StubProcess, stub_process

HOSTS, SLOTS, LATENCY_S, SLOW_S, LOAD_S = 12, 4, 1.0, 4.0, 3.0
THIRD_MODEL = "llama3.1"
MODELS = {"extraction": MODEL, "classification": OTHER_MODEL, "simple_code": THIRD_MODEL}
FILE = "".join(
    f'[tasks.{task}]\nengine = "local"\nmodel = "{model}"\n' for task, model in MODELS.items()
)
BUSY = 0.95
WARM_S, LOST_S = 15.0, 20.0
"""Until the models are shared out; and until what was at the lost host is back in line."""


def run(seconds: float = 120.0, hosts: int = HOSTS, warm_s: float = WARM_S) -> Iterator[Measured]:
    """Three batches, one a model, that are longer than is watched."""
    jobs = int(hosts * SLOTS / LATENCY_S * (seconds + LOST_S + 2 * warm_s)) // len(MODELS)
    with ExitStack() as stack:
        knobs = {"slots": str(SLOTS), "latency": str(LATENCY_S), "load-delay": str(LOAD_S)}
        docmill, first = stack.enter_context(bench(**knobs, **{"max-loaded": "1"}))
        first.set(models=list(MODELS.values()))
        (docmill.folder / "docmill.toml").write_text(FILE)
        words = [word for key, value in knobs.items() for word in (f"--{key}", value)]
        names = ("--models", ",".join(MODELS.values()), "--max-loaded", "1")
        others = [
            stack.enter_context(stub_process("ollama", *names, *words)) for _ in range(hosts - 1)
        ]
        for number, task in enumerate(MODELS):
            text = texts(jobs, number * jobs)
            docmill.run("submit", "-", "--ask", ASK, "--task", task, stdin=text)
        database = stack.enter_context(connect(docmill))
        with docmill.worker("ingest"):
            made = jobs * len(MODELS)
            until(lambda: count(database, "SELECT count(*) FROM jobs") == made, every_s=LOOK_S)
        for stub in (first, *others):
            host = replace(docmill, environment={**docmill.environment, "OLLAMA_HOST": stub.url})
            stack.enter_context(host.worker("local", "--slots", str(SLOTS)))
        full = hosts * SLOTS / LATENCY_S
        until(lambda: count(database, DONE) >= full * warm_s, every_s=LOOK_S)
        others[-1].set(outage="refuse")
        others[-2].set(latency=SLOW_S)
        time.sleep(LOST_S if seconds > LOST_S else 0.0)
        left = (hosts - 2) * SLOTS / LATENCY_S + SLOTS / SLOW_S
        busy = _answered_a_second([first, *others[:-1]], seconds) / left
    yield Measured(f"m: slots of {hosts} hosts busy, one lost and one slow", busy, BUSY)


def _answered_a_second(stubs: list[StubProcess], seconds: float) -> float:
    before: int = sum(stub.stats()["answered"] for stub in stubs)
    started = time.perf_counter()
    time.sleep(seconds)
    passed = time.perf_counter() - started
    after: int = sum(stub.stats()["answered"] for stub in stubs)
    return (after - before) / passed
