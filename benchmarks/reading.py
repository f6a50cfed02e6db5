"""(d) Pages per second of the readers against a bare pypdf loop over the same files, and documents
per second of submit."""

import asyncio
import io
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pypdf  # noqa: TID251

from benchmarks.rig import Measured, bench, texts
from models.errors import ReadError
from models.kinds import PDF
from worker.read.sandbox import Reader

SAMPLES = Path(__file__).parent.parent / "samples"
PUBLIC = Path(__file__).parent.parent.parent / "shared" / "data" / "pdfs"


def run(limit: int | None = None, submitted: int = 20_000) -> Iterator[Measured]:
    """Over the public PDFs where they are at hand, else over the samples."""
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # or printing is a part of the bare loop
    folder = PUBLIC if PUBLIC.is_dir() else SAMPLES
    files = [file.read_bytes() for file in sorted(folder.glob("*.pdf"))[:limit]]
    files = [data for data in files if _readable(data)]
    bare, pages = _bare(files)
    ours = asyncio.run(_ours(files))
    yield Measured("d: bare pypdf loop", pages / bare, unit="pages/s")
    yield Measured("d: docmill readers / bare loop", bare / ours, 5)
    yield Measured(
        f"d: submit of {submitted:,} short texts", _submit(submitted), unit="documents/s"
    )


def _submit(number: int) -> float:
    """The command from its start to its end, servers already up."""
    with bench() as (docmill, _):
        lines = texts(number)
        docmill.run("submit", "-", "--ask", "Find the total.", stdin=texts(1))
        started = time.perf_counter()
        docmill.run("submit", "-", "--ask", "Find the total.", stdin=lines)
        return number / (time.perf_counter() - started)


def _readable(data: bytes) -> bool:
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        return bool(reader.pages) and not reader.is_encrypted
    except Exception:
        return False


def _bare(files: list[bytes]) -> tuple[float, int]:
    pages = 0
    started = time.perf_counter()
    for data in files:
        for page in pypdf.PdfReader(io.BytesIO(data)).pages:
            pages += 1
            try:
                page.extract_text()
            except Exception:
                continue
    return time.perf_counter() - started, pages


async def _ours(files: list[bytes]) -> float:
    reader = Reader(2)
    try:
        await asyncio.gather(*(_read(reader, data) for data in files[:2]))  # both children warm
        started = time.perf_counter()
        await asyncio.gather(*(_read(reader, data) for data in files))
        return time.perf_counter() - started
    finally:
        reader.close()


async def _read(reader: Reader, data: bytes) -> None:
    try:
        await reader.read(data, PDF, "bench")
    except ReadError:
        return
