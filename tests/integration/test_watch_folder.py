"""`docmill watch-folder` as a command: what it says, and what a kill leaves."""

import json
from pathlib import Path

import pytest

from tests.commands import Docmill
from tests.integration.test_database import backends
from tests.rows import Connection, column, value
from tests.waiting import wait_until

LINES = 20_000


@pytest.fixture
def docmill(database_url: str, tmp_path: Path) -> Docmill:
    made = Docmill(tmp_path, {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1/0"})
    (made.folder / "in").mkdir()
    (made.folder / "spec.yaml").write_text("asks: [{ask: Sum up., task: summary}]")
    return made


def once(docmill: Docmill, place: str = "in") -> str:
    return docmill.run("watch-folder", place, "--spec", "spec.yaml", "--age", "0", "--once")


def test_a_link_to_a_folder_is_the_same_watch_and_copies_are_told(docmill: Docmill) -> None:
    (docmill.folder / "in" / "a.txt").write_text("one")
    assert "1 document; 1 file new" in once(docmill)
    (docmill.folder / "link").symlink_to("in")
    assert "no batch; 0 files new, 0 changed; 1 with bytes that were there" in once(docmill, "link")


def test_a_watch_that_is_killed_is_ended_by_the_next_which_loses_and_doubles_nothing(
    docmill: Docmill, db: Connection
) -> None:
    with (docmill.folder / "in" / "a.jsonl").open("w") as file:
        file.writelines(f"{json.dumps({'text': f'mail {n % 7}'})}\n" for n in range(LINES))
    watch = docmill.start("watch-folder", "in", "--spec", "spec.yaml", "--age", "0")
    stored = "SELECT count(*) FROM documents"
    wait_until(lambda: backends(db) and value(db, stored), what="a block is stored")
    watch.kill()
    wait_until(lambda: not backends(db), what="its connections are gone")
    assert 0 < value(db, stored) < LINES
    said = docmill.run("submit", "--resume", "1", "in", code=1)
    assert f"`docmill watch-folder {docmill.folder}/in --spec {docmill.folder}/spec.yaml`" in said
    assert "batch 1, which was cut off, ends as it is; batch 2: " in once(docmill)
    assert value(db, "SELECT count(DISTINCT path) FROM documents") == value(db, stored) == LINES
    assert column(db, "SELECT docmill_submit_state(id) FROM batches") == ["whole", "whole"]
