"""(a) Jobs per second and worker CPU per job with instant engines: Docmill, a bare loop that posts
the same prompts with no durability, and the plain form of this stack."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.bare import ASK, Send, bare_loop, extract_request
from benchmarks.rig import Measured, bench, connect, count, cpu_s, texts, until
from tests.commands import Docmill
from tests.stubs.process import StubProcess
from worker.llm.ollama.engine import OllamaEngine

IN_FLIGHT = 64
LOOK_S = 0.1


def run(jobs: int) -> Iterator[Measured]:
    """Each job is run and persisted: one call. Its ask says what task it is."""
    with bench(slots="256") as (docmill, stub):
        bare = asyncio.run(_bare(stub.url, jobs))
        engine = asyncio.run(_engine_alone(stub.url, jobs))
        ours, cpu_ms = _docmill(docmill, jobs)
        plain = _plain(docmill, stub, max(jobs // 10, 20))
    yield Measured("a: bare loop (httpx.AsyncClient on aiohttp)", bare, unit="jobs/s")
    yield Measured("a: bare loop over Docmill's own engine class", engine, unit="jobs/s")
    yield Measured("a: docmill", ours, unit="jobs/s")
    yield Measured("a: plain form (a task and a commit per call)", plain, unit="jobs/s")
    yield Measured("a: docmill / bare loop", ours / bare, 0.5)
    yield Measured("a: docmill / bare loop over its engine class", ours / engine)
    yield Measured("a: docmill / plain form", ours / plain, 5.0)
    yield Measured("a: worker CPU per job (run + persist)", cpu_ms, 1.5, True, "ms")


async def _bare(url: str, jobs: int) -> float:
    async with bare_loop(url) as send:
        return await _rate(send, jobs)


async def _engine_alone(url: str, jobs: int) -> float:
    engine = OllamaEngine(url)
    rate = await _rate(engine.complete, jobs)
    await engine.close()
    return rate


async def _rate(send: Send, jobs: int) -> float:
    room = asyncio.Semaphore(IN_FLIGHT)

    async def job(number: int) -> None:
        async with room:
            await send(extract_request(number))

    started = time.perf_counter()
    await asyncio.gather(*map(job, range(jobs)))
    return jobs / (time.perf_counter() - started)


def _docmill(docmill: Docmill, jobs: int) -> tuple[float, float]:
    """Jobs per second and CPU milliseconds per job of the local pool, documents already read."""
    batch = docmill.json("submit", "-", "--ask", ASK, stdin=texts(jobs))["batch"]
    with connect(docmill) as database:
        with docmill.worker("ingest"):
            until(lambda: count(database, "SELECT count(*) FROM jobs") == jobs)
        done = "SELECT count(*) FROM jobs WHERE state = 'done' AND batch_id = %s"
        with docmill.worker("local", "--slots", str(IN_FLIGHT)) as worker:
            # from the first finished job: starting up is not the work
            until(lambda: count(database, done, batch) > 0)
            first, cpu, started = count(database, done, batch), cpu_s(worker), time.perf_counter()
            until(lambda: count(database, done, batch) == jobs, every_s=LOOK_S)
            seconds = time.perf_counter() - started
            spent = cpu_s(worker) - cpu
    return (jobs - first) / seconds, spent / (jobs - first) * 1000


def _plain(docmill: Docmill, stub: StubProcess, jobs: int) -> float:
    """The plain form in its own processes; it prints its jobs per second."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.plain",
        str(docmill.folder / ".docmill"),
        stub.url,
        str(jobs),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])
