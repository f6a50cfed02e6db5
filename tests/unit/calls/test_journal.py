import asyncio
import errno
import fcntl
import json
import os
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from models.errors import ConfigError
from worker.calls import journal as journal_module
from worker.calls.journal import LATE_S, SEGMENT_BYTES, SEGMENT_S, Journal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


class Clock:
    """The loop's time, which stands still unless it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    async def pass_by(self, seconds: float) -> None:
        self.now += seconds
        for _ in range(2):  # what is due is run
            await asyncio.sleep(0)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    loop = asyncio.get_running_loop()
    clock = Clock(loop.time())
    monkeypatch.setattr(loop, "time", lambda: clock.now)
    return clock


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def everything(folder: Path) -> list[dict]:
    return [entry for path in files(folder) for entry in lines(path)]


def is_held(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


async def test_answers_are_kept_in_order(folder):
    journal = Journal(folder)
    ids = [uuid4() for _ in range(3)]
    for number, call_id in enumerate(ids):
        await journal.append(call_id, {"id": call_id, "n": number, "cost_usd": Decimal("0.10")})
    journal.close()
    assert everything(folder) == [
        {"id": str(call_id), "n": n, "cost_usd": "0.10"} for n, call_id in enumerate(ids)
    ]


async def test_an_entry_is_on_disk_when_append_returns(folder):
    journal = Journal(folder)
    await journal.append(uuid4(), {"answer": "x"})
    assert everything(folder) == [{"answer": "x"}]
    journal.close()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What went to the kernel, write by write."""
    seen: list[bytes] = []
    write = os.write

    def noted(descriptor: int, block: bytes) -> int:
        seen.append(block)
        return write(descriptor, block)

    monkeypatch.setattr(journal_module.os, "write", noted)
    return seen


async def test_answers_that_arrive_together_go_in_one_write(folder, writes):
    journal = Journal(folder)
    await asyncio.gather(*(journal.append(uuid4(), {"n": n}) for n in range(5)))
    await journal.append(uuid4(), {"n": 5})
    assert [block.count(b"\n") for block in writes] == [5, 1]
    journal.close()
    assert everything(folder) == [{"n": n} for n in range(6)]


def full(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_is_everybodys_who_wrote_and_nobody_elses(folder, monkeypatch):
    journal = Journal(folder)
    with monkeypatch.context() as disk:
        disk.setattr(journal_module.os, "write", full)
        both = (journal.append(uuid4(), {"n": n}) for n in range(2))
        ends = await asyncio.gather(*both, return_exceptions=True)
    assert [type(end) for end in ends] == [OSError, OSError]
    await journal.append(uuid4(), {"n": 2})
    journal.close()
    assert everything(folder) == [{"n": 2}]


async def test_what_a_full_disk_took_half_of_is_taken_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder)
    await journal.append(uuid4(), {"n": 0})
    write = os.write
    with monkeypatch.context() as disk:
        disk.setattr(journal_module.os, "write", lambda file, block: write(file, block[:-3]))
        with pytest.raises(OSError, match="No space left"):
            await journal.append(uuid4(), {"n": 1})
    await journal.append(uuid4(), {"n": 2})
    journal.close()
    assert everything(folder) == [{"n": 0}, {"n": 2}]


async def test_an_answer_that_a_full_disk_did_not_take_keeps_no_journal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder)
    with monkeypatch.context() as disk:
        disk.setattr(journal_module.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            await journal.append(uuid4(), {"n": 0})
    journal.close()
    assert files(folder) == []


async def test_a_disk_without_room_for_a_new_segment_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder)
    await journal.append(uuid4(), {"answer": "x" * SEGMENT_BYTES})
    with monkeypatch.context() as disk:
        disk.setattr(journal_module.os, "open", full)
        with pytest.raises(OSError, match="No space left"):
            await journal.append(uuid4(), {"n": 1})
    await journal.append(uuid4(), {"n": 2})
    assert [len(lines(path)) for path in files(folder)] == [1, 1]
    journal.close()


async def test_a_failing_disk_does_not_fail_who_settles(folder, monkeypatch, clock):
    journal = Journal(folder)
    old, new = uuid4(), uuid4()
    await journal.append(old, {"n": 0})
    await clock.pass_by(SEGMENT_S)
    await journal.append(new, {"n": 1})
    with monkeypatch.context() as disk:
        disk.setattr(journal_module.Path, "unlink", full)
        disk.setattr(journal_module.os, "ftruncate", full)
        journal.settled(iter([old, new]))
    assert everything(folder) == [{"n": 0}, {"n": 1}]
    assert not is_held(files(folder)[0])
    journal.close()


async def test_a_call_that_is_cut_off_while_its_answer_is_written_takes_no_other_along(folder):
    journal = Journal(folder)
    cut, kept = (asyncio.create_task(journal.append(uuid4(), {"n": n})) for n in range(2))
    await asyncio.sleep(0)
    cut.cancel()
    await kept
    assert cut.cancelled()
    journal.close()
    assert everything(folder) == [{"n": 0}, {"n": 1}]


async def test_a_journal_whose_answers_are_settled_leaves_no_file(folder):
    journal = Journal(folder)
    ids = [uuid4(), uuid4()]
    for call_id in ids:
        await journal.append(call_id, {"id": call_id})
    journal.settled(iter(ids))
    journal.close()
    assert files(folder) == []


async def test_a_journal_that_holds_something_unsettled_keeps_its_file(folder):
    journal = Journal(folder)
    ids = [uuid4(), uuid4()]
    for call_id in ids:
        await journal.append(call_id, {"id": call_id})
    journal.settled(iter(ids[:1]))
    journal.close()
    assert len(everything(folder)) == 2


def test_settling_what_was_never_journaled_does_no_harm(folder):
    journal = Journal(folder)
    journal.settled(iter([uuid4()]))
    journal.close()
    assert files(folder) == []


async def test_nothing_is_on_disk_while_nothing_is_under_way(folder):
    journal = Journal(folder)
    first, second, third = uuid4(), uuid4(), uuid4()
    await journal.append(first, {"answer": "x"})
    await journal.append(second, {"answer": "y"})
    journal.settled(iter([first]))
    assert len(everything(folder)) == 2
    journal.settled(iter([second]))
    assert everything(folder) == []
    await journal.append(third, {"answer": "z"})
    assert everything(folder) == [{"answer": "z"}]
    journal.close()


@pytest.mark.parametrize(
    ("answer", "age_s", "segments"),
    [
        ("x", SEGMENT_S - 0.1, 1),
        ("x", SEGMENT_S, 2),
        ("x" * (SEGMENT_BYTES - 100), 0.0, 1),
        ("x" * SEGMENT_BYTES, 0.0, 2),
    ],
    ids=["young", "old", "small", "large"],
)
async def test_a_segment_that_is_old_or_large_takes_no_more(folder, clock, answer, age_s, segments):
    journal = Journal(folder)
    await journal.append(uuid4(), {"answer": answer})
    await clock.pass_by(age_s)
    await journal.append(uuid4(), {"n": 1})
    assert len(files(folder)) == segments
    assert lines(files(folder)[-1])[-1] == {"n": 1}
    assert all(is_held(path) for path in files(folder))
    journal.close()


async def test_a_segment_goes_as_soon_as_all_of_it_is_settled_whatever_others_hold(folder, clock):
    journal = Journal(folder)
    ids = [uuid4() for _ in range(3)]
    for call_id in ids:
        await clock.pass_by(SEGMENT_S - 1)
        await journal.append(call_id, {"id": call_id})
    assert [len(lines(path)) for path in files(folder)] == [2, 1]
    journal.settled(iter(ids[:1]))
    assert len(files(folder)) == 2
    journal.settled(iter(ids[1:2]))
    assert everything(folder) == [{"id": str(ids[2])}]
    journal.close()


@pytest.mark.parametrize("open_still", [True, False])
async def test_what_is_not_settled_in_time_is_left_to_the_replay(folder, clock, open_still):
    journal = Journal(folder)
    late, after = uuid4(), uuid4()
    await journal.append(late, {"n": 0})
    await clock.pass_by(LATE_S - 0.1)
    if not open_still:
        await journal.append(after, {"n": 1})
    assert is_held(files(folder)[0])
    await clock.pass_by(0.1)
    assert not is_held(files(folder)[0])
    if open_still:
        await journal.append(after, {"n": 1})
    assert [lines(path) for path in files(folder)] == [[{"n": 0}], [{"n": 1}]]
    journal.settled(iter([late, after]))
    assert [lines(path) for path in files(folder)] == [[{"n": 0}], []]
    journal.close()
    assert [lines(path) for path in files(folder)] == [[{"n": 0}]]


async def test_the_time_of_a_segment_begins_with_its_first_answer(folder, clock):
    journal = Journal(folder)
    settled, late = uuid4(), uuid4()
    await clock.pass_by(LATE_S)
    await journal.append(settled, {"n": 0})
    await clock.pass_by(LATE_S - 0.1)
    journal.settled(iter([settled]))
    await clock.pass_by(LATE_S)
    await journal.append(late, {"n": 1})
    await clock.pass_by(SEGMENT_S - 0.1)
    await journal.append(uuid4(), {"n": 2})
    assert [len(lines(path)) for path in files(folder)] == [2]
    assert is_held(files(folder)[0])
    journal.close()


RATE, ANSWER_BYTES = 20, 100_000
"""Answers a second, each as large as fifty of the usual 2 KB: 1,000 of those are as many bytes."""


async def test_ten_minutes_of_steady_load_keep_the_journal_small(folder, clock):
    """1,000 answers a second of 2 KB, settled within a second, but one a minute never is."""
    journal = Journal(folder)
    under_way: deque[list[UUID]] = deque()
    largest = written = 0
    for second in range(600):
        for _ in range(10):
            ids = [uuid4() for _ in range(RATE // 10)]
            row = {"answer": "x" * ANSWER_BYTES}
            await asyncio.gather(*(journal.append(call_id, row) for call_id in ids))
            written += len(ids) * ANSWER_BYTES
            under_way.append(ids)
            if len(under_way) > 10:
                journal.settled(iter(under_way.popleft()))
            await clock.pass_by(0.1)
        if second % 60 == 0:
            under_way[-1].pop()
        largest = max(largest, sum(path.stat().st_size for path in files(folder)))
    assert written == 600 * 2_000_000
    assert largest < 64 * 2**20
    for ids in under_way:
        journal.settled(iter(ids))
    journal.close()
    assert len(files(folder)) == 10


def test_nobody_else_on_this_machine_may_read_it(folder):
    journal = Journal(folder)
    assert files(folder)[0].stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    journal.close()


def test_a_folder_that_cannot_be_written_is_said_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ConfigError, match=r"cannot keep a journal in .*Not a directory.*DOCMILL_HOME"
    ):
        Journal(tmp_path / "file" / "journal")


async def test_an_answer_with_half_a_surrogate_pair_is_kept(folder):
    journal = Journal(folder)
    await journal.append(uuid4(), {"answer": "a \ud800 b"})
    journal.close()
    assert everything(folder) == [{"answer": "a \N{REPLACEMENT CHARACTER} b"}]


@pytest.fixture
def unlocked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The journals that others saw in the moment before a segment is locked."""
    lock = fcntl.flock
    seen: list[Path] = []

    def late(descriptor: int, operation: int) -> None:
        seen.extend(folder.glob("*.jsonl"))
        lock(descriptor, operation)

    with monkeypatch.context() as patched:
        patched.setattr(journal_module.fcntl, "flock", late)
        yield seen


async def test_a_segment_is_not_there_for_others_before_it_is_locked(folder, unlocked, clock):
    journal = Journal(folder)
    assert unlocked == []
    await journal.append(uuid4(), {"n": 1})
    await clock.pass_by(SEGMENT_S)
    await journal.append(uuid4(), {"n": 2})
    assert unlocked == files(folder)[:1]
    journal.close()
