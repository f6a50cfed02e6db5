"""(l) Two models on three hosts, each of which holds one model at a time: how often they change,
and how busy their slots are."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.bare import ASK, MODEL
from benchmarks.occupancy import LOOK_S
from benchmarks.rig import OTHER_MODEL, Measured, bench, connect, count, texts, until
from tests.stubs.process import stub_process

HOSTS, SLOTS, LATENCY_S, LOAD_S = 3, 4, 0.5, 3.0
PER_S = HOSTS * SLOTS / LATENCY_S
"""Calls a second of slots that are never idle."""

TASKS = ("extraction", "classification")
BUSY = 0.97
TEN_MINUTES_S = 600.0

FILE = f'[tasks.classification]\nengine = "local"\nmodel = "{OTHER_MODEL}"\n'
DONE = "SELECT coalesce(sum(n), 0) FROM counts WHERE what = 'job' AND state = 'done'"
WARM_S = 15.0
"""Every host loads a model, and they share them out."""


def run(seconds: float = TEN_MINUTES_S, warm_s: float = WARM_S) -> Iterator[Measured]:
    """Two batches, one a model, that are longer than is watched."""
    jobs = int(PER_S * (seconds + 2 * warm_s))
    with ExitStack() as stack:
        knobs = {"slots": str(SLOTS), "latency": str(LATENCY_S), "load-delay": str(LOAD_S)}
        knobs["max-loaded"] = "1"
        docmill, first = stack.enter_context(bench(**knobs))
        (docmill.folder / "docmill.toml").write_text(FILE)
        words = [word for key, value in knobs.items() for word in (f"--{key}", value)]
        models = f"{MODEL},{OTHER_MODEL}"
        others = [
            stack.enter_context(stub_process("ollama", "--models", models, *words))
            for _ in range(HOSTS - 1)
        ]
        stubs = [first, *others]
        for number, task in enumerate(TASKS):
            text = texts(jobs // 2, number * jobs)
            docmill.run("submit", "-", "--ask", ASK, "--task", task, stdin=text)
        database = stack.enter_context(connect(docmill))
        with docmill.worker("ingest"):
            made = jobs // 2 * 2
            until(lambda: count(database, "SELECT count(*) FROM jobs") == made, every_s=LOOK_S)
        for stub in stubs:
            host = replace(docmill, environment={**docmill.environment, "OLLAMA_HOST": stub.url})
            stack.enter_context(host.worker("local", "--slots", str(SLOTS)))
        until(lambda: count(database, DONE) >= PER_S * warm_s, every_s=LOOK_S)
        loads = [stub.stats()["loads"] for stub in stubs]
        answered, started = sum(stub.stats()["answered"] for stub in stubs), time.perf_counter()
        time.sleep(seconds)
        passed = time.perf_counter() - started
        busy = (sum(stub.stats()["answered"] for stub in stubs) - answered) / passed / PER_S
        changes = [stub.stats()["loads"] - was for stub, was in zip(stubs, loads, strict=True)]
    yield Measured(f"l: most changes of model of a host in {seconds:g} s", max(changes), 1, True)
    yield Measured("l: changes of model of a host before that", max(loads) - 1)
    yield Measured("l: slots of three hosts busy, two models", busy, BUSY)
