"""Documents that kill, block or exhaust their reader: only they may suffer."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fpdf import FPDF
from pebble import CONSTS

from models.boxes import PageBoxes
from models.errors import ReadError
from models.kinds import PDF, PLAIN
from worker.read.kinds import Page, Text
from worker.read.sandbox import Limits, Reader
from worker.read.scratch import LOCK

ROOT = Path(__file__).parents[2]
LIMITS = Limits(wall_s=20, cpu_s=20, memory_bytes=1 << 30)


BOXES = PageBoxes(0.7, bytes(range(14)))


def act(data: bytes, media_type: str, name: str) -> Text:
    """The reader under test in the children: `name` says how it behaves."""
    if name == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "exit":
        os._exit(3)
    if name == "loop":
        while True:
            pass
    if name == "block":
        Path(os.fsdecode(data)).write_text(str(os.getpid()))  # a FIFO: waits for its reader
        signal.pause()
    if name == "eat":
        held = [bytearray(1 << 24) for _ in range(1 << 10)]
        raise AssertionError(len(held))
    if name == "bug":
        raise KeyError("x")
    if name == "signals":
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    if name == "encrypted":
        raise ReadError("encrypted", "needs a password")
    second = Page(2, str(len(data)), boxes=BOXES)
    return Text((Page(1, str(os.getpid())), second), ("a note",))


async def fate(reader: Reader, name: str) -> str:
    """The category of the error, or "read"."""
    try:
        await reader.read(b"", PLAIN, name)
    except ReadError as error:
        return error.category
    return "read"


async def pid(reader: Reader) -> int:
    return int((await reader.read(b"", PLAIN, "any")).pages[0].text)


@pytest.fixture
def reader():
    with Reader(2, LIMITS, act) as reader:
        yield reader


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


async def blocked(reader: Reader, fifo: Path) -> tuple["asyncio.Task[Text]", int]:
    """A read that is under way for ever, and the process that does it."""
    task = asyncio.create_task(reader.read(os.fsencode(fifo), PLAIN, "block"))
    return task, int(await asyncio.to_thread(fifo.read_text))


def gone(process: int) -> bool:
    """Wait until a process has ended."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 20)[0])
    finally:
        os.close(handle)


async def test_a_text_comes_back_whole(reader):
    text = await reader.read(b"12345", PLAIN, "any")
    assert text.pages[1] == Page(2, "5", boxes=BOXES)
    assert text.notes == ("a note",)


async def test_children_are_warm_and_reused(reader):
    assert len({await pid(reader) for _ in range(10)}) == 1
    assert len(set(await asyncio.gather(*(pid(reader) for _ in range(20))))) == 2


async def test_a_reader_that_segfaults_costs_only_its_document(reader):
    with pytest.raises(ReadError, match="segfault: its reader process died of signal 11") as error:
        await reader.read(b"", PLAIN, "segfault")
    assert error.value.category == "reader_crashed"
    assert await fate(reader, "any") == "read"


async def test_deadly_documents_do_not_harm_the_ones_around_them(reader):
    names = ["segfault", "a", "exit", "b", "bug", "c", "eat", "d", "encrypted", "e", "segfault"]
    fates = await asyncio.gather(*(fate(reader, name) for name in names))
    assert dict(zip(names, fates, strict=True)) == {
        **dict.fromkeys("abcde", "read"),
        "segfault": "reader_crashed",
        "exit": "reader_crashed",
        "bug": "reader_crashed",
        "eat": "reader_memory",
        "encrypted": "encrypted",
    }


async def test_the_readers_own_errors_keep_category_and_message(reader):
    with pytest.raises(ReadError, match=r"^needs a password$"):
        await reader.read(b"", PLAIN, "encrypted")
    with pytest.raises(ReadError, match=r"^bug: KeyError: 'x'$"):
        await reader.read(b"", PLAIN, "bug")


async def test_memory_is_limited_for_each_document():
    with Reader(1, Limits(memory_bytes=256 << 20), act) as reader:
        with pytest.raises(ReadError, match="eat needs more than 256 MiB of memory") as error:
            await reader.read(b"", PLAIN, "eat")
        assert error.value.category == "reader_memory"
        assert await fate(reader, "any") == "read"


async def test_a_reader_that_loops_is_stopped_at_the_cpu_limit():
    with Reader(1, Limits(wall_s=60, cpu_s=1), act) as reader:
        with pytest.raises(ReadError, match="loop was not read within 1 s of CPU time") as error:
            await reader.read(b"", PLAIN, "loop")
        assert error.value.category == "reader_timeout"
        assert await fate(reader, "any") == "read"


async def test_a_reader_that_hangs_is_killed_at_the_wall_limit(fifo, monkeypatch):
    monkeypatch.setattr(CONSTS, "term_timeout", 60)  # of no use: children ignore SIGTERM
    with Reader(1, Limits(wall_s=0.5), act) as reader:
        task, process = await blocked(reader, fifo)
        with pytest.raises(ReadError, match=r"block was not read within 0.5 s$") as error:
            async with asyncio.timeout(20):
                await task
        assert error.value.category == "reader_timeout"
        assert gone(process)
        assert await fate(reader, "any") == "read"


async def test_a_child_killed_while_idle_is_replaced(reader):
    for _ in range(3):
        process = await pid(reader)
        os.kill(process, signal.SIGKILL)
        assert gone(process)
        assert await pid(reader) != process


async def test_a_cancelled_read_kills_its_child_and_frees_its_place(fifo):
    with Reader(1, LIMITS, act) as reader:
        task, process = await blocked(reader, fifo)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await pid(reader) != process
        assert gone(process)


async def test_a_read_cancelled_on_its_way_to_a_child_frees_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Reader(1, LIMITS, act) as reader:
        task = asyncio.create_task(reader.read(bytes(200 << 20), PLAIN, "loop"))
        while not any(tmp_path.rglob("*.in")):  # from here on the file is being written
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(15):
            assert await pid(reader)
        assert task.cancelled()


async def test_close_cancels_what_is_under_way_and_ends_every_child(fifo):
    reader = Reader(1, LIMITS, act)
    task, process = await blocked(reader, fifo)
    waiting = asyncio.create_task(reader.read(b"", PLAIN, "any"))
    reader.close()
    reader.close()
    assert gone(process)
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(RuntimeError, match="the reader is closed"):
        await waiting


async def test_signals_to_the_whole_group_do_not_reach_a_document(reader):
    assert await fate(reader, "signals") == "read"


async def test_a_child_is_replaced_after_its_share_of_documents():
    with Reader(1, Limits(documents_per_child=2), act) as reader:
        pids = [await pid(reader) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_no_document_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Reader(1, LIMITS, act) as reader:
        for name in ("any", "segfault", "bug", "any"):
            await fate(reader, name)
        left = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert all(file.name == LOCK or file.suffix == ".out" for file in left)
    assert list(tmp_path.iterdir()) == []


async def test_a_pdf_of_50_megabytes_goes_through():
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.cell(text="Large.")
    pdf.embed_file(basename="noise", bytes=os.urandom(50 << 20), compress=False)
    with Reader(1, LIMITS) as reader:
        text = await reader.read(bytes(pdf.output()), PDF, "large.pdf")
    assert text.whole == "Large."


async def test_a_text_of_many_megabytes_comes_back():
    with Reader(1, LIMITS) as reader:
        text = await reader.read("अधिकार ".encode() * 1_000_000, PLAIN, "large.txt")
    assert len(text.whole) == 7_000_000


ORPHAN = """
import asyncio, os, sys
from tests.integration.test_sandbox import LIMITS, Reader, act
async def main():
    with Reader(1, LIMITS, act) as reader:
        await reader.read(os.fsencode(sys.argv[1]), "text/plain", "block")
if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux only")
async def test_children_die_with_a_parent_that_is_killed(fifo, tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(ORPHAN)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(script), str(fifo)]
    with subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.DEVNULL) as parent:
        child = int(await asyncio.to_thread(fifo.read_text))
        parent.kill()
    assert gone(child)


async def test_what_a_killed_parent_left_of_a_document_is_removed_by_the_next(
    fifo, tmp_path, monkeypatch
):
    script = tmp_path / "parent.py"
    script.write_text(ORPHAN)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(script), str(fifo)]
    with subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.DEVNULL) as parent:
        await asyncio.to_thread(fifo.read_text)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with Reader(1, LIMITS):
            pass
        (living,) = read_folders(tmp_path)  # it still reads
        (living / "0.out").write_text("as its child leaves a text")
        parent.kill()
    (
        tmp_path / "docmill-read-beginning"
    ).mkdir()  # no lock yet: its process may be about to take it
    with Reader(1, LIMITS):
        assert len(read_folders(tmp_path)) == 2
    assert [path.name for path in read_folders(tmp_path)] == ["docmill-read-beginning"]


def read_folders(place):
    return list(place.glob("docmill-read-*"))
