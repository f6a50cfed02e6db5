"""(s) What a row of JSONL costs one ingest process; and a million of them, or a folder of 300,000
files, the command that submits.

python -m benchmarks.rows [ROWS [SUBMITTED [FILES]]]
"""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.bare import text
from benchmarks.rig import Measured, bench, connect, count, cpu_s, texts, until
from tests.commands import Docmill, Running

ASK = ("--ask", "Which room is it?", "--fields", "room", "--task", "extraction")
LOOK_S = 0.25
WARM = 2_000
"""Rows that are read before anything is measured: starting up is not the work."""
A_FOLDER = 1_000
"""Files of one folder."""


def run(rows: int = 30_000, submitted: int = 1_000_000, files: int = 300_000) -> Iterator[Measured]:
    """Each row or file is one chunk and one job; nobody answers them but the first."""
    with bench() as (docmill, _):
        per_s, cpu_ms = _ingest(docmill, rows)
        yield Measured("s: rows/s through one ingest process", per_s, 2_000, unit="rows/s")
        yield Measured("s: CPU of that process per row", cpu_ms, 0.4, True, "ms")
        yield from _submit(docmill, _written_rows(docmill.folder, submitted), submitted, "rows")
        yield from _submit(docmill, _written_files(docmill.folder, files), files, "files")


def _ingest(docmill: Docmill, rows: int) -> tuple[float, float]:
    docmill.run("submit", "-", *ASK, stdin=texts(rows + WARM))
    done = "SELECT count(*) FROM jobs"
    with connect(docmill) as database, docmill.worker("ingest") as worker:
        until(lambda: count(database, done) >= WARM, every_s=LOOK_S)
        first, cpu, started = count(database, done), cpu_s(worker), time.perf_counter()
        until(lambda: count(database, done) >= rows + WARM, every_s=LOOK_S)
        seconds, spent = time.perf_counter() - started, cpu_s(worker) - cpu
    return (rows + WARM - first) / seconds, spent / (rows + WARM - first) * 1000


def _written_rows(folder: Path, number: int) -> Path:
    file = folder / "rows.jsonl"
    with file.open("w") as out:
        for first in range(0, number, WARM):
            out.write(texts(min(WARM, number - first), first))
    return file


def _written_files(folder: Path, number: int) -> Path:
    whole = folder / "files"
    for at in range(number):
        if at % A_FOLDER == 0:
            part = whole / f"{at:06}"
            part.mkdir(parents=True)
        (part / f"{at:06}.txt").write_text(text(-1 - at))
    return whole


def _submit(docmill: Docmill, source: Path, number: int, what: str) -> Iterator[Measured]:
    """Seconds from the start of the command until a job of its batch is done, and by how much its
    memory grows after the first tenth."""
    with connect(docmill) as database:
        known = count(database, "SELECT coalesce(max(id), 0) FROM batches")
        done = "SELECT count(*) FROM jobs WHERE state = 'done' AND batch_id > %s"
        with docmill.worker("ingest"), docmill.worker("local", "--slots", "4"):
            started = time.perf_counter()
            running = docmill.start("submit", source.name, *ASK)
            until(lambda: count(database, done, known) > 0)
            first_s = time.perf_counter() - started
        grown = _grown(running, database, number)
    took = time.perf_counter() - started
    of = f"{number:,} {what}"
    yield Measured(f"s: first answer while {of} are submitted", first_s, 3, True, "s")
    yield Measured(f"s: memory of submit of {of} at its end / after a tenth", grown, 1.1, True, "x")
    yield Measured(f"s: {what} submitted", number / took, unit=f"{what}/s")


def _grown(running: Running, database: psycopg.Connection[Any], number: int) -> float:
    process = psutil.Process(running.process.pid)
    stored = "SELECT count(*) FROM documents"
    before = count(database, stored)
    until(lambda: count(database, stored) - before >= number // 10, every_s=LOOK_S)
    early = latest = process.memory_info().rss
    while running.process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            latest = max(latest, process.memory_info().rss)
        time.sleep(LOOK_S)
    assert running.process.returncode == 0, running.said()
    return float(latest / early)


if __name__ == "__main__":
    for measured in run(*map(int, sys.argv[1:])):
        print(f"{measured.name}: {measured.figure:.3g} {measured.unit}", flush=True)
