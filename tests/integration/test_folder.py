"""A folder that is watched: each file becomes a document once, whatever happens to the watch."""

import errno
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.errors import InputError
from models.spec import make_spec
from producer import folder as folder_module
from producer import submit as submit_module
from producer.folder import Fate, LocalFolder, Look, Watched
from producer.places import Opened
from producer.sources import Source, documents_in
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


def test_a_watch_that_is_cut_off_goes_on_where_it_was(db, look, inbox, monkeypatch):
    for number in range(5):
        (inbox / f"{number}.txt").write_text(f"text {number}")
    documents_in = folder_module.documents_in

    def cut_off(opened, *more):
        if opened.file.name.endswith("4.txt"):
            raise KeyboardInterrupt
        return documents_in(opened, *more)

    monkeypatch.setattr(folder_module, "documents_in", cut_off)
    with pytest.raises(KeyboardInterrupt):
        look()
    monkeypatch.undo()
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    stored = paths(db)
    assert stored == ["0.txt", "1.txt", "2.txt", "3.txt"]
    look()
    again = paths(db)[len(stored) :]
    # at most the last file of a block, whose end was not seen yet, comes twice
    assert again in (["4.txt"], ["3.txt", "4.txt"])
    assert look().batch is None


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
    assert look().fates == {Fate.SAME: 1}
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

    def breaks(opened: Opened, file_mb: int) -> Iterator[Source]:
        if opened.file.name.endswith("b.txt"):
            raise OSError(errno.EIO, "Input/output error")
        return documents_in(opened, file_mb)

    monkeypatch.setattr(folder_module, "documents_in", breaks)
    found = look()
    assert [(Path(each.path).name, each.category) for each in found.refused] == [
        ("a.pipe", "unreadable"),
        ("b.txt", "unreadable"),
    ]
    monkeypatch.undo()
    assert sorted(paths(db)) == ["c.txt"]
