"""(b) How busy the engine's slots are kept, against a bare loop with as many slots.

Occupancy is the time-average of requests in flight at the engine, by slots: calls x latency over
slots x wall time. Each cell is three batches that wait together; with one model and with two.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence

from benchmarks.bare import ASK, bare_loop, extract_request
from benchmarks.rig import OTHER_MODEL, Measured, bench, connect, count, texts, until

SECONDS = 6.0
"""How long each cell is watched, at least; and twelve turns of its slots."""

WARM_S = 2.0
"""Not watched: the first seconds, in which workers hear of the queues and fill their slots."""

LOOK_S = 0.25

CELLS = [(latency, slots) for latency in (0.05, 0.2, 1.0) for slots in (4, 16, 64)]
ONE_MODEL = ("extraction", "extraction", "extraction")
TWO_MODELS = ("extraction", "classification", "extraction")
"""The tasks of the batches; classification is another model's."""


def run(cells: list[tuple[float, int]], seconds: float = SECONDS) -> Iterator[Measured]:
    """Every cell with one model, then with two in turns."""
    for name, tasks, bar in (("one model", ONE_MODEL, 0.98), ("two models", TWO_MODELS, 0.90)):
        for latency, slots in cells:
            ours, bare = _cell(latency, slots, seconds, tasks)
            cell = f"b: occupancy {latency * 1000:.0f} ms x {slots} slots, {name}"
            yield Measured(cell, ours)
            yield Measured(f"{cell} / bare", ours / bare, bar)


def _cell(latency: float, slots: int, seconds: float, tasks: Sequence[str]) -> tuple[float, float]:
    """Docmill's occupancy and the bare loop's."""
    per_s = slots / latency
    jobs = int(per_s * max(seconds, 12 * latency))
    with bench(slots=str(slots), latency=str(latency)) as (docmill, stub):
        (docmill.folder / "docmill.toml").write_text(
            f'[tasks.classification]\nengine = "local"\nmodel = "{OTHER_MODEL}"\n'
        )
        bare = asyncio.run(_bare(stub.url, slots, jobs))
        warm = int(per_s * WARM_S) + slots
        share = (warm + jobs + slots) // len(tasks) + 1
        for number, task in enumerate(tasks):
            text = texts(share, number * share)
            docmill.run("submit", "-", "--ask", ASK, "--task", task, stdin=text)
        with connect(docmill) as database:
            with docmill.worker("ingest"):
                every = share * len(tasks)
                until(lambda: count(database, "SELECT count(*) FROM jobs") == every)
            done = "SELECT count(*) FROM jobs WHERE state = 'done'"
            with docmill.worker("local", "--slots", str(slots)):
                until(lambda: count(database, done) >= warm, every_s=LOOK_S)
                first, started = count(database, done), time.perf_counter()
                until(lambda: count(database, done) >= warm + jobs, every_s=LOOK_S)
                last, passed = count(database, done), time.perf_counter() - started
    return (last - first) / passed / per_s, bare / per_s


async def _bare(url: str, slots: int, jobs: int) -> float:
    """Calls per second of a loop that does nothing else."""
    room = asyncio.Semaphore(slots)
    async with bare_loop(url) as send:

        async def call(number: int) -> None:
            async with room:
                await send(extract_request(number))

        await asyncio.gather(*map(call, range(slots)))  # connects, which is not the work
        started = time.perf_counter()
        await asyncio.gather(*map(call, range(jobs)))
        return jobs / (time.perf_counter() - started)
