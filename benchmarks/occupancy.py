"""(b) How busy the engine's slots are kept, against a bare loop with as many slots.

Occupancy is the time-average of requests in flight at the engine, by slots: calls x latency over
slots x wall time.
"""

import asyncio
import time
from collections.abc import Iterator

from benchmarks.rig import MODEL, OTHER_MODEL, Measured, bench, connect, count, texts, until
from models.words import TaskType
from worker.llm.engine import Request
from worker.llm.ollama import OllamaEngine
from worker.prompts import prompt, task_messages

SECONDS = 6.0
"""How long each cell is kept busy."""

CELLS = [(0.05, 4), (0.05, 16), (0.05, 64), (0.2, 4), (0.2, 16), (0.2, 64), (1.0, 4), (1.0, 64)]
ASK = "Find the vendor and the total."


def run(cells: list[tuple[float, int]], seconds: float = SECONDS) -> Iterator[Measured]:
    """Every cell with one model, then one with two models in turns."""
    for latency, slots in cells:
        ratio = _cell(latency, slots, seconds, models=1)
        yield Measured(f"b: occupancy {latency * 1000:.0f} ms x {slots} slots / bare", ratio, 0.98)
    ratio = _cell(0.2, 16, seconds, models=2)
    yield Measured("b: occupancy 200 ms x 16 slots, two models / bare", ratio, 0.90)


def _cell(latency: float, slots: int, seconds: float, models: int) -> float:
    jobs = int(slots / latency * seconds)
    with bench(slots=str(slots), latency=str(latency)) as (docmill, stub):
        bare = asyncio.run(_bare(stub.url, slots, jobs)) * latency / slots
        if models == 2:
            (docmill.folder / "docmill.toml").write_text(
                f'[tasks.classification]\nengine = "local"\nmodel = "{OTHER_MODEL}"\n'
            )
        for index in range(models):
            task = ("extraction", "classification")[index]
            share = texts(jobs // models)
            docmill.run("submit", "-", "--ask", ASK, "--task", task, stdin=share)
        with connect(docmill) as database:
            done = "SELECT count(*) FROM jobs WHERE state = 'done'"
            total = jobs // models * models
            with docmill.worker("ingest"):
                until(lambda: count(database, "SELECT count(*) FROM jobs") == total)
            with docmill.worker("local", "--slots", str(slots)):
                until(lambda: count(database, done) >= slots)
                first, started = count(database, done), time.perf_counter()
                until(lambda: count(database, done) >= total - slots)
                last = count(database, done)
                ours = (last - first) / (time.perf_counter() - started) * latency / slots
    return ours / bare


async def _bare(url: str, slots: int, jobs: int) -> float:
    """Calls per second of a loop that does nothing else."""
    engine = OllamaEngine(url)
    room = asyncio.Semaphore(slots)
    schema = prompt(TaskType.EXTRACTION).schema
    assert schema is not None
    messages = task_messages(TaskType.EXTRACTION, ASK, "Invoice 1 of Vendor 1. Total 3", schema)

    async def call() -> None:
        async with room:
            await engine.complete(Request(MODEL, messages, 512, 8192, schema))

    started = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(jobs)))
    seconds = time.perf_counter() - started
    await engine.close()
    return jobs / seconds
