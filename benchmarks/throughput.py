"""(a) Jobs per second and worker CPU per job with instant engines: Docmill, a bare loop that posts
the same prompts with no durability, and the plain form of this stack."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx  # noqa: TID251  # the loop that Docmill is held against
from httpx_aiohttp import AiohttpTransport

from benchmarks.rig import MODEL, Measured, bench, connect, count, cpu_s, texts, until
from models.words import TaskType
from tests.commands import Docmill
from tests.stubs.process import StubProcess
from worker.llm.engine import Request
from worker.llm.ollama import OllamaEngine
from worker.prompts import CLASSIFY_SCHEMA, classify_messages, prompt, task_messages

ASK = "Find the vendor and the total."
IN_FLIGHT = 64


def run(jobs: int) -> Iterator[Measured]:
    """Each job is classified, run and persisted: two calls."""
    with bench(slots="256", answers='{"Request: ": {"task": "extraction"}}') as (docmill, stub):
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
    yield Measured("a: worker CPU per job (classify + run + persist)", cpu_ms, 1.5, True, "ms")


async def _bare(url: str, jobs: int) -> float:
    """What one would write by hand with httpx, on the transport that does not collapse."""
    async with httpx.AsyncClient(base_url=url, transport=AiohttpTransport()) as client:

        async def ask(request: Request) -> None:
            messages = [{"role": one.role, "content": one.content} for one in request.messages]
            body = {
                "model": request.model_name,
                "messages": messages,
                "format": request.schema,
                "stream": False,
                "options": {"num_ctx": request.context_tokens, "num_predict": request.max_tokens},
            }
            response = await client.post("/api/chat", json=body)
            json.loads(response.raise_for_status().json()["message"]["content"])

        return await _rate(ask, jobs)


async def _engine_alone(url: str, jobs: int) -> float:
    engine = OllamaEngine(url)
    rate = await _rate(engine.complete, jobs)
    await engine.close()
    return rate


async def _rate(ask: Callable[[Request], Awaitable[object]], jobs: int) -> float:
    room = asyncio.Semaphore(IN_FLIGHT)

    async def job(number: int) -> None:
        text = f"Invoice {number} of Vendor {number % 97} Ltd. Total: Rs {number * 13}.50"
        async with room:
            await ask(_classify(text))
            await ask(_extract(text))

    started = time.perf_counter()
    await asyncio.gather(*map(job, range(jobs)))
    return jobs / (time.perf_counter() - started)


def _classify(text: str) -> Request:
    return Request(MODEL, classify_messages(ASK, text), 40, 8192, CLASSIFY_SCHEMA)


def _extract(text: str) -> Request:
    schema = prompt(TaskType.EXTRACTION).schema
    assert schema is not None
    return Request(MODEL, task_messages(TaskType.EXTRACTION, ASK, text, schema), 512, 8192, schema)


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
            until(lambda: count(database, done, batch) == jobs)
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
