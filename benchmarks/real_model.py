"""(g) Tokens per second of the real embedded model through Docmill, against the same server driven
directly: a bare loop with the same engine class, the same prompts and as many requests in flight.

The two take turns on one server, so that whatever else the machine does meets both; the figure is
the middle one of the turns. Texts differ in their numbers only, from their first line on: for both
sides the server has the fixed part of every prompt in its cache and reads the text anew. Tokens
are those that the engine reported. Clocks run from the first answer to the last one.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks.rig import Measured, connect, count, until
from models.engines import (
    EMBEDDED_CONTEXT_TOKENS,
    EMBEDDED_MAX_TOKENS,
    EMBEDDED_MODEL,
    EMBEDDED_SLOTS,
)
from models.words import TaskType
from tests.commands import Docmill
from worker.llm.embedded.server import attach_llama
from worker.llm.engine import Request
from worker.llm.grammar import bounded
from worker.llm.openai.engine import OpenAIEngine
from worker.prompts import task_messages

ASK = "Find the vendor, the invoice number and the total."
LONGEST = {"vendor": 20, "invoice_number": 8, "total": 10}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string", "maxLength": most} for name, most in LONGEST.items()},
    "required": list(LONGEST),
    "additionalProperties": False,
}
"""Short strings: one answer of a small model that goes on and on would decide a turn."""

LOOK_S = 0.5
PATIENCE_S = 600.0
ENDED = (
    "SELECT extract(epoch FROM finished_at)::float8, input_tokens - coalesce(cached_tokens, 0),"
    " output_tokens FROM calls WHERE batch_id = %s AND host = 'embedded' AND state = 'settled'"
)


def run(turns: int, calls: int) -> Iterator[Measured]:
    """So many turns of so many calls for each side, after a turn that warms both up."""
    with _embedded() as docmill, connect(docmill) as database:
        url = attach_llama(docmill.folder / ".docmill")
        pairs = list(_take_turns(docmill, database, url, turns + 1, calls))[1:]
    for side, paces in zip(("directly", "docmill"), zip(*pairs, strict=True), strict=True):
        written, read = (
            median(pace.written for pace in paces),
            median(pace.read for pace in paces),
        )
        yield Measured(f"g: embedded model, {side}, output", written, unit="tokens/s")
        yield Measured(f"g: embedded model, {side}, prompt read anew", read, unit="tokens/s")
    ratio = median(ours.written / bare.written for bare, ours in pairs)
    yield Measured("g: embedded model, docmill / directly, output", ratio, 0.95)


@dataclass(frozen=True)
class Pace:
    """Tokens per second of one side in one turn."""

    written: float
    read: float


@contextmanager
def _embedded() -> Iterator[Docmill]:
    """A Docmill that has nothing but the embedded servers and the embedded model."""
    with tempfile.TemporaryDirectory(prefix="docmill-bench-") as folder:
        Path(folder).chmod(0o755)
        yield Docmill(Path(folder))


def _take_turns(
    docmill: Docmill, database: "psycopg.Connection[Any]", url: str, turns: int, calls: int
) -> Iterator[tuple[Pace, Pace]]:
    batches = _read_and_paused(docmill, database, turns, calls)
    with docmill.worker("local"):
        for turn, batch in enumerate(batches):
            bare = asyncio.run(_bare(url, _texts("bare", turn, calls)))
            docmill.run("resume", str(batch))
            yield bare, _through(database, batch, calls)


def _read_and_paused(
    docmill: Docmill, database: "psycopg.Connection[Any]", turns: int, calls: int
) -> list[int]:
    (docmill.folder / "invoice.json").write_text(json.dumps(SCHEMA))
    words = ("--ask", ASK, "--schema", "invoice.json", "--task", "extraction")
    batches = []
    for turn in range(turns):
        lines = "".join(json.dumps({"text": t}) + "\n" for t in _texts("docmill", turn, calls))
        batches.append(docmill.json("submit", "-", *words, stdin=lines)["batch"])
    with docmill.worker("ingest"):
        until(lambda: count(database, "SELECT count(*) FROM jobs") == turns * calls)
    for batch in batches:
        docmill.run("pause", str(batch))
    return batches


def _texts(side: str, turn: int, calls: int) -> list[str]:
    """Invoices of the same shape, none twice."""
    first = 10_000 + turn * 1_000 + (500 if side == "bare" else 0)
    return [_invoice(number) for number in range(first, first + calls)]


def _invoice(number: int) -> str:
    items = "\n".join(
        f"{line} x item {number * line % 9973:04}, delivered in good order: {number % 89 + line}.50"
        for line in range(1, 9)
    )
    return f"Invoice {number}\nVendor {number % 97:02} Ltd\n{items}\nTotal Rs {number * 13}.50"


async def _bare(url: str, texts: list[str]) -> Pace:
    """A loop that does nothing else."""
    engine = OpenAIEngine(url, None)
    room = asyncio.Semaphore(EMBEDDED_SLOTS)
    ended: list[tuple[float, int, int]] = []

    async def call(text: str) -> None:
        async with room:
            usage = (await engine.complete(_request(text))).usage
        read = (usage.input_tokens or 0) - (usage.cached_tokens or 0)
        ended.append((time.perf_counter(), read, usage.output_tokens or 0))

    await asyncio.gather(*map(call, texts))
    await engine.close()
    return _pace(ended)


def _request(text: str) -> Request:
    """What Docmill asks of the embedded model for such a text."""
    most = EMBEDDED_MAX_TOKENS[TaskType.EXTRACTION]
    messages = task_messages(TaskType.EXTRACTION, ASK, text, SCHEMA)
    return Request(EMBEDDED_MODEL, messages, most, EMBEDDED_CONTEXT_TOKENS, bounded(SCHEMA, most))


def _through(database: "psycopg.Connection[Any]", batch: int, calls: int) -> Pace:
    over = "SELECT count(*) FROM jobs WHERE state IN ('done', 'failed') AND batch_id = %s"
    deadline = time.monotonic() + PATIENCE_S
    while count(database, over, batch) < calls:
        if time.monotonic() > deadline:
            raise TimeoutError(f"batch {batch} is not over")
        time.sleep(LOOK_S)
    return _pace([(at, read, written) for at, read, written in database.execute(ENDED, (batch,))])


def _pace(ended: list[tuple[float, int, int]]) -> Pace:
    """Of calls given as (end, prompt tokens read anew, tokens written)."""
    (first, _, _), *later = sorted(ended)
    seconds = later[-1][0] - first
    return Pace(
        written=sum(written for _, _, written in later) / seconds,
        read=sum(read for _, read, _ in later) / seconds,
    )
