"""Hostile office files and mail in the sandbox: each ends, and those beside it are read."""

import asyncio
import io
import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from models.errors import ReadError
from models.kinds import CSV, DOCX, HTML, XLSX, XML, kind_of
from tests import office
from worker.read.kinds import Text
from worker.read.sandbox import Limits, Reader

LIMITS = Limits(wall_s=120, cpu_s=5, memory_bytes=640 << 20)
WORDS = "<w:p><w:r><w:t>many words</w:t></w:r></w:p>"
CELL = '<c r="{}" t="n"><v>1</v></c>'
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    f'<row r="1">{CELL.format("A1")}</row><row r="1048576">{CELL.format("XFD1048576")}</row>'
    "</sheetData></worksheet>"
)
HOSTILE = {
    "corner.xlsx": (XLSX, office.repacked(office.sheet(), {"xl/worksheets/sheet1.xml": SHEET})),
    "long.docx": (DOCX, office.word_of(WORDS * 2_500_000)),
    "wide.xml": (XML, b"<?xml version='1.0'?><a>" + b"<b/>" * 6_000_000),
    "long.csv": (CSV, b"a,b,c\n" * 4_000_000),
    "tables.html": (HTML, b"<table><tr><td>" * 20_000),
}
REFUSALS = {"damaged", "too_much_text", "reader_memory", "reader_timeout", "reader_crashed"}


async def fate(reader: Reader, data: bytes, kind: str, name: str) -> str:
    try:
        text = await reader.read(data, kind, name)
    except ReadError as error:
        return error.category
    assert isinstance(text, Text)
    return "read"


def peak_of_reading_hostile_files() -> int:
    """Returns the bytes that the largest child held, in a process that had no other children."""
    asyncio.run(each_hostile_file_ends_beside_a_good_one())
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


async def each_hostile_file_ends_beside_a_good_one() -> None:
    good = office.word()
    with Reader(1, LIMITS) as reader:
        for name, (kind, data) in HOSTILE.items():
            assert kind_of(name, io.BytesIO(data)) == kind
            assert await fate(reader, data, kind, name) in REFUSALS, name
            assert await fate(reader, good, DOCX, "good.docx") == "read"


@pytest.mark.timeout(600)
def test_hostile_files_end_within_their_limits_and_harm_no_other():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        peak = alone.submit(peak_of_reading_hostile_files).result()
    assert peak < LIMITS.memory_bytes
