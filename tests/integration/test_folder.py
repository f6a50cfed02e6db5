"""A folder that is watched: each file becomes a document once, whatever happens to the watch."""

import errno
import io
import os
import secrets
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.errors import InputError
from models.spec import make_spec
from producer import submit as submit_module
from producer.places import Opened
from producer.sources import Source, documents_in
from producer.submit import resume
from producer.watch import look as look_module
from producer.watch import taking as taking_module
from producer.watch.fates import Fate
from producer.watch.look import LocalFolder, Look, Watched
from tests.rows import Connection, column, value

SPEC = make_spec({"asks": [{"ask": "Sum up.", "task": "summary"}]}, "test")

Watch = Callable[[], Look]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    made = tmp_path / "inbox"
    (made / "deep").mkdir(parents=True)
    return made


@pytest.fixture
def look(database_url: str, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """A look by a process that knows nothing but what Postgres does."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(submit_module, "BLOCK", 2)
    return lambda: Watched(LocalFolder(inbox), f"{inbox} with s", 50, age_s=0).look(SPEC)


def paths(db: Connection) -> list[str]:
    return [Path(path).name for path in column(db, "SELECT path FROM documents ORDER BY id")]


def test_what_is_new_or_changed_is_submitted_and_nothing_twice(db, look, inbox):
    assert look().batch is None
    (inbox / "a.txt").write_text("one")
    (inbox / "deep" / "b.txt").write_text("two")
    first = look()
    assert (first.documents, first.fates) == (2, {Fate.NEW: 2})
    assert look().fates == {Fate.SAME: 2}

    os.utime(inbox / "a.txt", ns=(1, 1))  # touched
    (inbox / "deep" / "b.txt").write_text("two, changed")
    (inbox / "c.txt").write_text("one")  # a copy
    (inbox / "d.txt").write_text("three")
    second = look()
    assert second.fates == {Fate.TOUCHED: 1, Fate.CHANGED: 1, Fate.TWIN: 1, Fate.NEW: 1}
    assert second.batch not in (None, first.batch)
    assert look().fates == {Fate.SAME: 4}
    assert sorted(paths(db)) == ["a.txt", "b.txt", "b.txt", "d.txt"]
    assert (inbox / "a.txt").read_text() == "one"  # originals stay


class CutOff(BaseException):
    """The process ends here: nothing of it goes on."""


def cut_off_after(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """From now on a watch ends when it has had so many documents of the file of this name."""

    def cut_off(opened: Opened, file_mb: int) -> Iterator[Source]:
        for given, source in enumerate(documents_in(opened, file_mb)):
            if opened.file.name.endswith(name) and given == number:
                raise CutOff
            yield source
        if opened.file.name.endswith(name):
            raise CutOff

    monkeypatch.setattr(taking_module, "documents_in", cut_off)


def go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_module, "documents_in", documents_in)


STATES = "SELECT docmill_submit_state(id) FROM batches ORDER BY id"


def test_the_next_look_ends_a_batch_that_was_cut_off_and_submits_what_it_lacks_once(
    db, look, inbox, monkeypatch
):
    for number in range(5):
        (inbox / f"{number}.txt").write_text(f"text {number}")
    cut_off_after(monkeypatch, "4.txt", 0)
    with pytest.raises(CutOff):
        look()
    assert paths(db) == ["0.txt", "1.txt", "2.txt", "3.txt"]
    assert column(db, STATES) == ["interrupted"]
    go_on(monkeypatch)
    found = look()
    assert found.ended == column(db, "SELECT min(id) FROM batches")
    assert found.fates == {Fate.SAME: 3, Fate.REST: 1, Fate.NEW: 1}
    assert paths(db) == [f"{number}.txt" for number in range(5)]
    assert column(db, STATES) == ["whole", "whole"]
    assert look().ended == []


@pytest.mark.parametrize("given", [3, 5])
def test_an_archive_that_was_cut_off_comes_once_under_any_name(db, look, inbox, monkeypatch, given):
    with zipfile.ZipFile(inbox / "all.zip", "w") as packed:
        packed.writestr("bad.bin", b"\0\1\2")
        for number in range(4):
            packed.writestr(f"{number}.txt", f"text {number}")
    cut_off_after(monkeypatch, "all.zip", given)
    with pytest.raises(CutOff):
        look()
    assert paths(db) == [f"{number}.txt" for number in range(4 if given == 5 else 2)]
    go_on(monkeypatch)
    (inbox / "all.zip").rename(inbox / "renamed.zip")
    found = look()
    assert found.fates == {Fate.REST: 1}
    assert [each.category for each in found.refused] == ["unsupported_type"]
    assert sorted(paths(db)) == [f"{number}.txt" for number in range(4)]
    assert look().fates == {Fate.SAME: 1}


def test_a_submit_that_is_to_go_on_with_the_batch_of_a_watch_says_what_does(
    db, look, inbox, monkeypatch
):
    for number in range(3):
        (inbox / f"{number}.txt").write_text(f"text {number}")
    cut_off_after(monkeypatch, "2.txt", 0)
    with pytest.raises(CutOff):
        look()
    [batch] = column(db, "SELECT id FROM batches")
    with pytest.raises(InputError, match=f"`docmill watch-folder {inbox} --spec s` ends it"):
        resume(batch, [])


def test_what_is_refused_is_said_once_and_an_archive_is_one_file(db, look, inbox):
    with zipfile.ZipFile(inbox / "all.zip", "w") as packed:
        for number in range(5):
            packed.writestr(f"{number}.txt", f"text {number}")
    (inbox / "empty.txt").write_text("")
    found = look()
    assert (found.documents, found.fates) == (5, {Fate.NEW: 2})
    assert [source.category for source in found.refused] == ["empty"]
    assert look().refused == []
    assert value(db, "SELECT count(*) FROM watched_files") == 2


def test_a_folder_whose_files_are_all_refused_makes_no_batch(db, look, inbox):
    (inbox / "empty.txt").write_text("")
    assert look().batch is None
    again = look()
    assert (again.fates, again.refused) == ({Fate.TOUCHED: 1}, [])
    assert value(db, "SELECT count(*) FROM batches") == 0


def test_another_spec_is_another_watch_and_a_purged_batch_is_not_submitted_again(db, look, inbox):
    (inbox / "a.txt").write_text("one")
    batch = look().batch
    assert (
        Watched(LocalFolder(inbox), f"{inbox} with another", 50, age_s=0).look(SPEC).documents == 1
    )
    db.execute("DELETE FROM batches WHERE id = %s", (batch,))
    assert look().fates == {Fate.SAME: 1}


def test_two_never_watch_the_same_at_a_time(db, look, inbox):
    watch = f"{inbox} with s"
    db.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (watch,))
    with pytest.raises(InputError, match="another docmill watches it"):
        look()
    db.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (watch,))
    assert look().batch is None


def test_a_folder_that_is_not_there_is_a_clear_error(look, inbox):
    (inbox / "deep").rmdir()
    inbox.rmdir()
    with pytest.raises(InputError, match="no such folder"):
        look()


def test_what_is_no_file_or_breaks_off_is_refused_and_the_others_are_taken(
    db, look, inbox, monkeypatch
):
    os.mkfifo(inbox / "a.pipe")
    (inbox / "b.txt").write_text("one")
    (inbox / "c.txt").write_text("two")
    (inbox / "d.txt").write_text("three")

    def breaks(opened: Opened, file_mb: int) -> Iterator[Source]:
        if opened.file.name.endswith("b.txt"):
            raise OSError(errno.EIO, "Input/output error")
        if opened.file.name.endswith("d.txt"):
            raise struct.error("unpack requires a buffer of 4 bytes")
        return documents_in(opened, file_mb)

    monkeypatch.setattr(taking_module, "documents_in", breaks)
    found = look()
    assert [(Path(each.path).name, each.category) for each in found.refused] == [
        ("a.pipe", "unreadable"),
        ("b.txt", "unreadable"),
        ("d.txt", "unreadable"),
    ]
    monkeypatch.undo()
    assert sorted(paths(db)) == ["c.txt"]


def watched(inbox: Path, file_mb: int = 50, age_s: float = 0, **more: str) -> Watched:
    return Watched(LocalFolder(inbox), f"{inbox} with s", file_mb, age_s, **more)


MEGABYTE = "word " * 210_000


def test_what_a_limit_refused_is_told_once_and_submitted_when_the_limit_is_raised(db, look, inbox):
    (inbox / "a.txt").write_text(MEGABYTE)
    first = watched(inbox, file_mb=1).look(SPEC)
    assert [each.category for each in first.refused] == ["too_large"]
    again = watched(inbox, file_mb=1).look(SPEC)
    assert (again.fates, again.refused) == ({Fate.SAME: 1}, [])
    os.utime(inbox / "a.txt", ns=(1, 1))
    again = watched(inbox, file_mb=1).look(SPEC)
    assert (again.fates, again.refused) == ({Fate.TOUCHED: 1}, [])
    (inbox / "b.txt").write_text(MEGABYTE)  # a copy is judged by itself
    copy = watched(inbox, file_mb=1).look(SPEC)
    assert (copy.fates, len(copy.refused)) == ({Fate.SAME: 1, Fate.NEW: 1}, 1)
    raised = watched(inbox, file_mb=2).look(SPEC)
    assert (raised.fates, raised.refused) == ({Fate.NEW: 1, Fate.TWIN: 1}, [])
    assert paths(db) == ["a.txt"]
    assert watched(inbox, file_mb=1).look(SPEC).fates == {Fate.SAME: 2}


def test_a_kind_that_a_later_docmill_reads_is_submitted_then(db, look, inbox, monkeypatch):
    (inbox / "a.txt").write_bytes(b"\0\1\2\3")
    assert [each.category for each in look().refused] == ["unsupported_type"]
    assert look().fates == {Fate.SAME: 1}
    monkeypatch.setattr(look_module, "READ", {"application/other"})
    assert [each.category for each in look().refused] == ["unsupported_type"]
    assert look().fates == {Fate.SAME: 1}


def test_what_was_refused_in_an_archive_alone_is_submitted_when_the_limit_is_raised(
    db, look, inbox
):
    with zipfile.ZipFile(inbox / "all.zip", "w") as packed:
        for name, text in (("a.txt", "one"), ("b.txt", MEGABYTE), ("c.txt", "three")):
            packed.writestr(name, text)
    assert watched(inbox, file_mb=1).look(SPEC).documents == 2
    assert watched(inbox, file_mb=1).look(SPEC).fates == {Fate.SAME: 1}
    raised = watched(inbox, file_mb=2).look(SPEC)
    assert (raised.documents, raised.fates) == (1, {Fate.AGAIN: 1})
    assert paths(db) == ["a.txt", "c.txt", "b.txt"]
    assert watched(inbox, file_mb=3).look(SPEC).fates == {Fate.SAME: 1}


@pytest.mark.parametrize("given", [2, 4])
def test_what_is_tried_again_of_an_archive_comes_once_though_a_look_at_it_is_cut_off(
    db, look, inbox, monkeypatch, given
):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        for number in range(4):
            packed.writestr(f"{number}.txt", f"{number} {MEGABYTE[: 2**19]}")
    with zipfile.ZipFile(inbox / "all.zip", "w") as packed:
        packed.writestr("a.txt", "one")
        packed.writestr("inner.zip", inner.getvalue())
        packed.writestr("z.txt", "last")
    assert watched(inbox, file_mb=1).look(SPEC).documents == 2
    cut_off_after(monkeypatch, "all.zip", given)
    with pytest.raises(CutOff):
        watched(inbox, file_mb=4).look(SPEC)
    go_on(monkeypatch)
    watched(inbox, file_mb=4).look(SPEC)
    assert sorted(paths(db)) == ["0.txt", "1.txt", "2.txt", "3.txt", "a.txt", "z.txt"]
    assert watched(inbox, file_mb=4).look(SPEC).fates == {Fate.SAME: 1}


def test_copies_of_an_archive_of_which_all_was_refused_come_once_when_the_limit_is_raised(
    db, look, inbox
):
    for copy in "ab":
        with zipfile.ZipFile(inbox / f"{copy}.zip", "w") as packed:
            packed.writestr(zipfile.ZipInfo("long.txt"), MEGABYTE)
    assert len(watched(inbox, file_mb=1).look(SPEC).refused) == 2
    assert watched(inbox, file_mb=2).look(SPEC).fates == {Fate.NEW: 1, Fate.TWIN: 1}
    assert paths(db) == ["long.txt"]


def test_no_odd_file_stops_a_watch(db, look, inbox, monkeypatch):
    """Names too long for a key of Postgres, names that are no text, times that it cannot hold."""
    deep = inbox
    for _ in range(10):
        deep = deep / secrets.token_hex(120)
        deep.mkdir()
    (deep / "a.txt").write_text("one")
    (inbox / "b\udcff.txt").write_text("two")
    (inbox / "c.txt").write_text("three")
    monkeypatch.setattr(look_module, "_stamp", lambda stat: (2**80, 2**80))
    assert look().documents == 3
    assert look().fates == {Fate.SAME: 3}


def test_a_name_that_is_written_down_anew_in_a_look_does_not_hide_what_it_held(db, look, inbox):
    for name, text in zip("abc", "abc", strict=True):
        (inbox / f"{name}.txt").write_text(f"text {text}")
    look()
    for name, text in zip("abc", "dea", strict=True):
        (inbox / f"{name}.txt").write_text(f"text {text}")
    assert look().fates == {Fate.CHANGED: 2, Fate.TWIN: 1}


def test_copies_are_written_down_as_they_are_found(db, look, inbox, monkeypatch):
    monkeypatch.setattr(taking_module, "AT_ONCE", 2)
    (inbox / "a.txt").write_text("one")
    look()
    for name in "bcde":
        (inbox / f"{name}.txt").write_text("one")
    (inbox / "z.txt").write_text("two")
    cut_off_after(monkeypatch, "z.txt", 0)
    with pytest.raises(CutOff):
        look()
    go_on(monkeypatch)
    assert look().fates == {Fate.SAME: 5, Fate.NEW: 1}


def test_names_that_move_and_contents_that_come_back_are_submitted_once(db, look, inbox):
    for name in "abc":
        (inbox / f"{name}.txt").write_text(f"text {name}")
    look()
    for old, new in (("c", "d"), ("b", "c"), ("a", "b")):  # each holds what another one did
        (inbox / f"{old}.txt").rename(inbox / f"{new}.txt")
    assert Fate.CHANGED not in look().fates
    (inbox / "b.txt").write_text("another text")
    assert look().fates == {Fate.SAME: 2, Fate.CHANGED: 1}
    (inbox / "b.txt").write_text("text a")
    assert look().fates == {Fate.SAME: 2, Fate.TWIN: 1}
    assert value(db, "SELECT count(*) FROM documents") == 4


def test_a_file_whose_clock_is_ahead_is_read_when_two_looks_found_it_the_same(
    db, look, inbox, monkeypatch
):
    now_s = time.time()
    ahead_ns = int((now_s + 3_600) * 1e9)
    monkeypatch.setattr("time.time_ns", lambda: int(now_s * 1e9))

    def write(text: str) -> None:
        (inbox / "a.txt").write_text(text)
        os.utime(inbox / "a.txt", ns=(ahead_ns, ahead_ns))

    def looks_after(seconds: float) -> int:
        nonlocal now_s
        now_s += seconds
        return watched(inbox, age_s=10).look(SPEC).documents

    write("half")
    assert looks_after(0) == looks_after(9) == 0
    write("half and half")
    assert looks_after(9) == looks_after(9) == 0
    assert looks_after(1) == 1
    assert looks_after(10) == 0


def test_a_folder_is_the_same_watch_however_it_is_reached_and_keeps_what_it_knew(
    db, look, inbox, tmp_path
):
    link = tmp_path / "link"
    link.symlink_to(inbox)
    (inbox / "a.txt").write_text("one")
    before = f"{link} with s"
    assert Watched(LocalFolder(link), before, 50, age_s=0).look(SPEC).documents == 1
    (inbox / "b.txt").write_text("two")
    reached = Watched(LocalFolder(link), f"{inbox} with s", 50, 0, before)
    assert reached.look(SPEC).fates == {Fate.SAME: 1, Fate.NEW: 1}
    assert column(db, "SELECT name FROM watches") == [f"{inbox} with s"]
    assert look().fates == {Fate.TWIN: 2}


def test_a_file_that_is_written_to_once_it_is_listed_is_left_for_a_later_look(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"All of {name}.")
    with LocalFolder(tmp_path) as place:
        files = list(place.files())
        (tmp_path / "b.txt").write_text("Half of another")
        found = [opened.file.name for opened in place.contents(files)]
    assert found == [str(tmp_path / "a.txt")]
