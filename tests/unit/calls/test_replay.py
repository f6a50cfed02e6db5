import asyncio
import errno
import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from worker.calls import replay as replay_module
from worker.calls.journal import LATE_S, Journal
from worker.calls.replay import BLOCK_BYTES, BLOCK_ROWS, LINE_BYTES, Replay

Row = dict[str, Any]


class Ledger:
    """Takes rows, but for those that it is told to refuse, and remembers its statements."""

    def __init__(self, *refused: Any, error: psycopg.Error | None = None) -> None:
        self.statements: list[list[Row]] = []
        self.refused = refused
        self.error = error or psycopg.errors.NumericValueOutOfRange("integer out of range")

    async def settle(self, rows: Sequence[Row]) -> int:
        if any(row.get("n") in self.refused for row in rows):
            raise self.error
        self.statements.append(list(rows))
        return len(rows)

    @property
    def rows(self) -> list[Row]:
        return [row for rows in self.statements for row in rows]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "journal"
    made.mkdir()
    return made


def abandon(folder: Path, *rows: Row | bytes, name: str = "a") -> Path:
    """A journal that nobody holds; bytes go in as they are."""
    path = folder / f"{name}-000001.jsonl"
    parts = (row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
    path.write_bytes(b"".join(parts))
    return path


async def replayed(folder: Path) -> list[Row]:
    ledger = Ledger()
    await Replay(folder, ledger.settle).look()
    return ledger.rows


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_answers_of_a_process_that_is_gone_are_settled_in_order_and_its_files_deleted(folder):
    abandon(folder, {"n": 2}, name="b")
    abandon(folder, {"n": 0}, {"n": 1}, name="a")
    with capture_logs() as logs:
        assert await replayed(folder) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert names(folder) == []
    assert [log["answers"] for log in logs] == [2, 1]


async def test_answers_that_were_settled_already_are_not_spoken_of(folder):
    abandon(folder, {"n": 0})

    async def known(_: Sequence[Row]) -> int:
        return 0

    with capture_logs() as logs:
        await Replay(folder, known).look()
    assert logs == []
    assert names(folder) == []


async def test_an_empty_journal_is_deleted_without_a_statement(folder):
    abandon(folder)
    assert await replayed(folder) == []
    assert names(folder) == []


async def test_a_folder_that_is_not_there_has_no_journals(tmp_path):
    assert await replayed(tmp_path / "nowhere") == []


async def test_what_a_process_holds_is_left_alone_and_replayed_once_it_is_late(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, late = Journal(folder), uuid4()
    await journal.append(late, {"n": 1})
    assert await replayed(folder) == []
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as clock:
        after = loop.time() + LATE_S
        clock.setattr(loop, "time", lambda: after)
        for _ in range(2):  # what is due is run
            await asyncio.sleep(0)
    assert await replayed(folder) == [{"n": 1}]
    assert names(folder) == []
    journal.settled(iter([late]))
    journal.close()


async def test_a_journal_that_is_being_replayed_is_left_alone_by_others(folder):
    abandon(folder, {"n": 1})
    seen: list[list[Row]] = []

    async def settle(rows: Sequence[Row]) -> int:
        seen.append(await replayed(folder))
        return len(rows)

    await Replay(folder, settle).look()
    assert seen == [[]]


async def test_a_journal_that_another_worker_has_just_replayed_is_passed_over(folder):
    abandon(folder, {"n": 1}, name="a")
    second = abandon(folder, {"n": 2}, name="b")
    seen: list[Row] = []

    async def settle(rows: Sequence[Row]) -> int:
        seen.extend(rows)
        second.unlink()
        return len(rows)

    with capture_logs() as logs:
        await Replay(folder, settle).look()
    assert seen == [{"n": 1}]
    assert [log["event"] for log in logs] == ["replayed answers"]


async def test_a_journal_that_a_person_removes_meanwhile_is_no_trouble(folder):
    path = abandon(folder, {"n": 1})

    async def settle(rows: Sequence[Row]) -> int:
        path.unlink()
        return len(rows)

    with capture_logs() as logs:
        await Replay(folder, settle).look()
    assert [log["event"] for log in logs] == ["replayed answers"]


async def test_a_journal_that_was_replayed_between_opening_and_locking_is_passed_over(
    folder, monkeypatch
):
    path = abandon(folder, {"n": 1})
    lock = fcntl.flock

    def late(file: Any, operation: int) -> None:
        path.unlink()
        lock(file, operation)

    monkeypatch.setattr(replay_module.fcntl, "flock", late)
    assert await replayed(folder) == []


@pytest.mark.parametrize(
    "rest", [b'{"n": 3, "answ', b"{", b"\xff\xfe", b'{"n": "\xe0\xa4', b"\0\0"]
)
async def test_a_last_line_that_was_cut_off_is_dropped_and_nothing_is_said(folder, rest):
    abandon(folder, {"n": 1}, {"n": 2}, rest)
    with capture_logs() as logs:
        assert await replayed(folder) == [{"n": 1}, {"n": 2}]
    assert [log["event"] for log in logs] == ["replayed answers"]


async def test_a_last_line_that_only_lacks_its_end_is_taken(folder):
    abandon(folder, {"n": 1}, b'{"n": 2}')
    assert await replayed(folder) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    "broken", [b"\0\0", b"nonsense", b'{"n": 1}{"n": 2}', b"[1]", b"3", b"[" * 5000]
)
async def test_broken_lines_are_passed_over_and_those_after_them_are_read(folder, broken):
    path = abandon(folder, {"n": 1}, broken + b"\n", {"n": 2}, broken + b"\n", {"n": 3})
    with capture_logs() as logs:
        assert await replayed(folder) == [{"n": 1}, {"n": 2}, {"n": 3}]
    [said] = [log for log in logs if log["log_level"] == "error"]
    assert (said["path"], said["lines"]) == (str(path), 2)
    assert names(folder) == []


async def test_a_line_without_an_end_never_fills_the_memory(folder, monkeypatch):
    monkeypatch.setattr(replay_module, "LINE_BYTES", 64)
    abandon(folder, {"n": 1}, {"answer": "x" * 1000}, {"n": 2})
    assert await replayed(folder) == [{"n": 1}, {"n": 2}]
    assert LINE_BYTES > 10 * BLOCK_BYTES


@pytest.mark.parametrize(
    ("rows", "blocks"),
    [
        ([10] * 250, [BLOCK_ROWS, BLOCK_ROWS, 50]),
        ([BLOCK_BYTES // 4] * 7, [3, 3, 1]),
        ([10, 2 * BLOCK_BYTES, 10, 10], [1, 1, 2]),
    ],
    ids=["many", "large", "one too large"],
)
async def test_statements_are_of_no_more_rows_or_bytes_than_are_soon_done(folder, rows, blocks):
    abandon(folder, *({"answer": "x" * size} for size in rows))
    ledger = Ledger()
    await Replay(folder, ledger.settle).look()
    assert [len(rows) for rows in ledger.statements] == blocks


async def test_a_row_that_is_refused_is_set_aside_and_all_others_are_settled(folder):
    rows = [{"n": n, "answer": f"secret {n}"} for n in range(250)]
    abandon(folder, *rows)
    ledger = Ledger(3, 120, 121)
    with capture_logs() as logs:
        await Replay(folder, ledger.settle).look()
    refused = [rows[n] for n in (3, 120, 121)]
    assert ledger.rows == [row for row in rows if row not in refused]
    bad = folder / "a-000001.bad"
    assert [json.loads(line) for line in bad.read_bytes().splitlines()] == refused
    assert bad.stat().st_mode & 0o077 == 0
    assert names(folder) == [bad.name]
    [said] = [log for log in logs if log["log_level"] == "error"]
    assert (said["path"], said["why"]) == (str(bad), "NumericValueOutOfRange")


async def test_what_was_set_aside_is_tried_again_once_a_person_renames_it(folder):
    abandon(folder, {"n": 1})
    replay = Replay(folder, Ledger(1).settle)
    for _ in range(2):
        with capture_logs() as logs:
            await replay.look()
        assert [log["log_level"] for log in logs] == ["error"]
        (folder / "a-000001.bad").rename(folder / "a-000001.jsonl")
    assert await replayed(folder) == [{"n": 1}]


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.InsufficientPrivilege("permission denied for table calls"),
        psycopg.errors.UndefinedColumn("column does not exist"),
        psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"),
        psycopg.errors.QueryCanceled("canceling statement due to statement timeout"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_no_rows_fault_leaves_the_journal_as_it_is_and_is_said_once(folder, error):
    path = abandon(folder, {"n": 1}, {"n": 2})
    before = path.read_bytes()
    ledger = Ledger(1, error=error)
    replay = Replay(folder, ledger.settle)
    with capture_logs() as logs:
        await replay.look()
        await replay.look()
    assert [(log["path"], log["why"]) for log in logs] == [(str(path), type(error).__name__)]
    assert path.read_bytes() == before
    assert names(folder) == [path.name]
    ledger.refused = ()
    await replay.look()
    assert ledger.rows == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOLCK])
async def test_a_file_that_cannot_be_opened_or_locked_is_said_once_and_the_others_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    first = abandon(folder, {"n": 1}, name="a")
    ledger = Ledger()
    replay = Replay(folder, ledger.settle)
    lock = fcntl.flock

    def refused(file: Any, operation: int) -> None:
        if Path(file.name) == first:
            raise OSError(number, os.strerror(number))
        lock(file, operation)

    with monkeypatch.context() as disk, capture_logs() as logs:
        disk.setattr(replay_module.fcntl, "flock", refused)
        for n in (2, 3):
            abandon(folder, {"n": n}, name="b")
            await replay.look()
    assert ledger.rows == [{"n": 2}, {"n": 3}]
    [said] = [log for log in logs if log["log_level"] == "error"]
    assert (said["path"], said["why"]) == (str(first), os.strerror(number))
    await replay.look()
    assert ledger.rows[-1] == {"n": 1}


async def test_a_folder_of_a_journals_name_stops_nobody(folder):
    (folder / "a-000001.jsonl").mkdir()
    abandon(folder, {"n": 2}, name="b")
    assert await replayed(folder) == [{"n": 2}]


async def test_a_file_that_cannot_be_read_to_its_end_stays(folder, monkeypatch):
    abandon(folder, {"n": 1})

    def failing(*_: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
        yield

    with monkeypatch.context() as disk:
        disk.setattr(replay_module, "_blocks", failing)
        assert await replayed(folder) == []
    assert await replayed(folder) == [{"n": 1}]


async def test_a_disk_that_cannot_take_what_is_set_aside_keeps_the_journal(folder, monkeypatch):
    path = abandon(folder, {"n": 1})
    (folder / "a-000001.bad").mkdir()
    await Replay(folder, Ledger(1).settle).look()
    assert path.exists()


async def test_a_replay_that_is_cut_off_keeps_the_journal_and_frees_it(folder):
    abandon(folder, {"n": 1})
    reached = asyncio.Event()

    async def never(_: Sequence[Row]) -> int:
        reached.set()
        await asyncio.Event().wait()
        return 0

    looking = asyncio.create_task(Replay(folder, never).look())
    await reached.wait()
    assert await replayed(folder) == []
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert await replayed(folder) == [{"n": 1}]


# --- purged answers among those that are kept aside -----------------------------------------------


@pytest.mark.parametrize("purged", [(), (0,), (0, 1), (0, 1, 2)])
async def test_purged_answers_are_forgotten_whatever_else_stands_beside_them(folder, purged):
    calls = [UUID(int=number) for number in range(3)]
    rows = [{"id": str(call)} for call in calls]
    odd = ({"id": "no uuid"}, {"id": None}, {"id": 7}, {})
    aside = abandon(folder, *rows, *odd, b"{broken\n").with_suffix(".bad")
    (folder / "a-000001.jsonl").rename(aside)

    async def gone(asked: Sequence[UUID]) -> set[UUID]:
        return {calls[number] for number in purged} & set(asked)

    await Replay(folder, Ledger().settle).forget(gone)
    kept = [json.loads(line) for line in aside.read_bytes().splitlines() if line != b"{broken"]
    assert kept == [row for n, row in enumerate(rows) if n not in purged] + list(odd)
    assert names(folder) == [aside.name]


async def test_where_all_of_it_was_purged_no_file_is_left(folder):
    aside = abandon(folder, {"id": str(UUID(int=1))}).with_suffix(".bad")
    (folder / "a-000001.jsonl").rename(aside)

    async def every(asked: Sequence[UUID]) -> set[UUID]:
        return set(asked)

    await Replay(folder, Ledger().settle).forget(every)
    assert names(folder) == []


async def test_a_postgres_that_is_away_is_asked_again_at_the_next_look(folder):
    aside = abandon(folder, {"id": str(UUID(int=1))}).with_suffix(".bad")
    (folder / "a-000001.jsonl").rename(aside)

    async def away(_: Sequence[UUID]) -> set[UUID]:
        raise psycopg.OperationalError("away")

    await Replay(folder, Ledger().settle).forget(away)
    assert names(folder) == [aside.name]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)


@given(st.lists(TEXTS, max_size=10))
@settings(max_examples=50)
def test_every_answer_comes_back_as_it_was_whatever_characters_it_holds(tmp_path_factory, answers):
    folder = tmp_path_factory.mktemp("journals")

    async def there_and_back() -> list[Row]:
        journal = Journal(folder)
        for number, answer in enumerate(answers):
            await journal.append(UUID(int=number), {"answer": answer})
        journal.close()
        return await replayed(folder)

    assert asyncio.run(there_and_back()) == [{"answer": answer} for answer in answers]
