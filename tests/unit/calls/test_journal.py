import asyncio
import errno
import fcntl
import json
import os
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.calls import journal as journal_module
from worker.calls.journal import COMPACT_BYTES, Journal, abandoned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def die(journal: Journal) -> None:
    """The process ends: the kernel closes its file, and that is all that happens."""
    journal_module.os.close(journal._file)


def replayed(folder: Path) -> list[list[dict]]:
    return [calls for _, calls in abandoned(folder)]


async def test_answers_of_a_process_that_died_are_replayed_in_order(folder):
    journal = Journal(folder)
    ids = [uuid4() for _ in range(3)]
    for number, call_id in enumerate(ids):
        await journal.append(call_id, {"id": call_id, "n": number, "cost_usd": Decimal("0.10")})
    die(journal)
    assert replayed(folder) == [
        [{"id": str(call_id), "n": n, "cost_usd": "0.10"} for n, call_id in enumerate(ids)]
    ]


async def test_an_entry_is_on_disk_when_append_returns(folder):
    journal = Journal(folder)
    await journal.append(uuid4(), {"answer": "x"})
    assert json.loads(journal.path.read_bytes()) == {"answer": "x"}
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
    die(journal)
    assert replayed(folder) == [[{"n": n} for n in range(6)]]


async def test_a_full_disk_is_everybodys_who_wrote_and_nobody_elses(folder, monkeypatch):
    journal = Journal(folder)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(journal_module.os, "write", full)
        both = (journal.append(uuid4(), {"n": n}) for n in range(2))
        ends = await asyncio.gather(*both, return_exceptions=True)
    assert [type(end) for end in ends] == [OSError, OSError]
    await journal.append(uuid4(), {"n": 2})
    die(journal)
    assert replayed(folder) == [[{"n": 2}]]


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
    die(journal)
    assert replayed(folder) == [[{"n": 0}, {"n": 2}]]


async def test_an_answer_that_a_full_disk_did_not_take_keeps_no_journal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(journal_module.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            await journal.append(uuid4(), {"n": 0})
    journal.close()
    assert list(folder.iterdir()) == []


async def test_a_call_that_is_cut_off_while_its_answer_is_written_takes_no_other_along(folder):
    journal = Journal(folder)
    cut, kept = (asyncio.create_task(journal.append(uuid4(), {"n": n})) for n in range(2))
    await asyncio.sleep(0)
    cut.cancel()
    await kept
    assert cut.cancelled()
    die(journal)
    assert replayed(folder) == [[{"n": 0}, {"n": 1}]]


async def test_a_live_journal_is_left_alone(folder):
    alive, dead = Journal(folder), Journal(folder)
    await alive.append(uuid4(), {"n": 1})
    await dead.append(uuid4(), {"n": 2})
    die(dead)
    assert [path for path, _ in abandoned(folder)] == [dead.path]
    assert alive.path.exists()
    die(alive)


async def test_a_journal_that_is_being_replayed_is_left_alone_by_others(folder):
    journal = Journal(folder)
    await journal.append(uuid4(), {"n": 1})
    die(journal)
    first = abandoned(folder)
    path, calls = next(first)
    assert calls == [{"n": 1}]
    assert replayed(folder) == []
    path.unlink()
    assert list(first) == []


async def test_a_journal_stays_until_its_replay_is_settled(folder):
    journal = Journal(folder)
    await journal.append(uuid4(), {"n": 1})
    die(journal)
    assert replayed(folder) == replayed(folder) == [[{"n": 1}]]


async def test_a_journal_that_vanishes_meanwhile_is_passed_over(folder):
    first, second = sorted((Journal(folder), Journal(folder)), key=lambda made: made.path)
    for journal in (first, second):
        await journal.append(uuid4(), {"n": 1})
        die(journal)
    found = []
    for path, _ in abandoned(folder):
        found.append(path)
        second.path.unlink(missing_ok=True)
    assert found == [first.path]


@pytest.mark.parametrize("rest", [b'{"n": 3, "answ', b"{", b"\xff\xfe", b'{"n": "\xe0\xa4'])
async def test_a_last_line_that_was_cut_off_is_dropped_and_the_others_are_kept(folder, rest):
    journal = Journal(folder)
    await journal.append(uuid4(), {"n": 1})
    await journal.append(uuid4(), {"n": 2})
    die(journal)
    with journal.path.open("ab") as file:
        file.write(rest)
    assert replayed(folder) == [[{"n": 1}, {"n": 2}]]


def test_an_empty_journal_of_a_process_that_died_has_no_entries(folder):
    die(Journal(folder))
    assert replayed(folder) == [[]]


def test_a_folder_that_is_not_there_has_no_journals(folder):
    assert replayed(folder) == []


async def test_a_journal_whose_answers_are_settled_leaves_no_file(folder):
    journal = Journal(folder)
    ids = [uuid4(), uuid4()]
    for call_id in ids:
        await journal.append(call_id, {"id": call_id})
    journal.settled(iter(ids))
    journal.close()
    assert list(folder.iterdir()) == []


async def test_a_journal_that_holds_something_unsettled_keeps_its_file(folder):
    journal = Journal(folder)
    ids = [uuid4(), uuid4()]
    for call_id in ids:
        await journal.append(call_id, {"id": call_id})
    journal.settled(iter(ids[:1]))
    journal.close()
    assert [len(calls) for calls in replayed(folder)] == [2]


def test_settling_what_was_never_journaled_does_no_harm(folder):
    journal = Journal(folder)
    journal.settled(iter([uuid4()]))
    journal.close()
    assert list(folder.iterdir()) == []


async def test_a_long_journal_is_emptied_once_everything_in_it_is_settled(folder):
    journal = Journal(folder)
    first, second, third = uuid4(), uuid4(), uuid4()
    await journal.append(first, {"answer": "x" * COMPACT_BYTES})
    await journal.append(second, {"answer": "y"})
    journal.settled(iter([first]))
    assert journal.path.stat().st_size > COMPACT_BYTES
    journal.settled(iter([second]))
    assert journal.path.stat().st_size == 0
    await journal.append(third, {"answer": "z"})
    die(journal)
    assert replayed(folder) == [[{"answer": "z"}]]


async def test_a_short_journal_is_not_emptied_at_every_turn(folder):
    journal = Journal(folder)
    call_id = uuid4()
    await journal.append(call_id, {"answer": "x"})
    journal.settled(iter([call_id]))
    assert journal.path.stat().st_size > 0
    journal.close()


def test_nobody_else_on_this_machine_may_read_it(folder):
    journal = Journal(folder)
    assert journal.path.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    journal.close()


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)


@given(st.lists(TEXTS, max_size=10))
@settings(max_examples=50)
def test_every_answer_comes_back_as_it_was_whatever_characters_it_holds(tmp_path_factory, answers):
    folder = tmp_path_factory.mktemp("journals")
    journal = Journal(folder)

    async def write() -> None:
        for answer in answers:
            await journal.append(UUID(int=0), {"answer": answer})

    asyncio.run(write())
    die(journal)
    assert replayed(folder) == [[{"answer": answer} for answer in answers]]


async def test_an_answer_with_half_a_surrogate_pair_is_kept(folder):
    journal = Journal(folder)
    await journal.append(uuid4(), {"answer": "a \ud800 b"})
    die(journal)
    assert replayed(folder) == [[{"answer": "a \N{REPLACEMENT CHARACTER} b"}]]


async def test_a_journal_is_not_taken_for_abandoned_while_it_is_being_made(folder, monkeypatch):
    """Two workers of one host start at once: the other replays between open and lock."""
    lock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(journal_module.fcntl, "flock", lock)
        for path, _ in abandoned(folder):
            path.unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(journal_module.fcntl, "flock", late)
    journal = Journal(folder)
    await journal.append(uuid4(), {"n": 1})
    die(journal)
    assert replayed(folder) == [[{"n": 1}]]
