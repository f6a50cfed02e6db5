"""Purged is gone: no text, prompt or answer is left in any table, key, file or log; money is."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests import traces
from tests.commands import Docmill
from tests.stubs.process import stub_process
from tests.waiting import wait_until

TEXT, ASK, ANSWER, FIELD = "wordinthetext", "wordintheask", "wordintheanswer", "fieldoftheask"
BROKEN, NAME, FILE = "wordinabrokenanswer", "wordinthename", "wordinthepath"
WORDS = (TEXT, ASK, ANSWER, FIELD, BROKEN, NAME, FILE)


class Place:
    """Both engines, and a folder to type commands in."""

    def __init__(self, docmill: Docmill, database: str, redis: str) -> None:
        self.docmill = docmill
        self.database = database
        self.redis = redis

    def leaks(self) -> list[str]:
        """Where which word still stands."""
        folder = self.docmill.folder
        logs = {path.name: path.read_text() for path in folder.glob("*.log")}
        kept = traces.files(folder / ".docmill")
        parts = {**traces.tables(self.database), **traces.values(self.redis), **kept, **logs}
        return [
            f"{word} in {where}" for where, text in parts.items() for word in WORDS if word in text
        ]

    def batches(self) -> str:
        return traces.tables(self.database)["table batches"]

    def submit(self, *options: str) -> str:
        """A batch in which every word stands somewhere."""
        documents = self.docmill.folder / "in"
        documents.mkdir(exist_ok=True)
        for number in range(4):
            (documents / f"{FILE}-{number}.txt").write_text(f"Letter {number}: {TEXT}.")
        (documents / f"{FILE}-bad.pdf").write_text(f"%PDF-1.4 {TEXT}")
        asks = ("--ask", f"Find {ASK}.", "--fields", FIELD, "--name", NAME)
        return str(self.docmill.json("submit", "in", *asks, *options)["batch"])


@pytest.fixture
def place(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Place]:
    answers = {"Letter 1": f"no JSON but {BROKEN}", TEXT: {FIELD: ANSWER}}
    with stub_process("ollama", "--models", "phi4-mini") as local:
        local.set(answers=answers)
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "OLLAMA_HOST": local.url,
        }
        yield Place(Docmill(tmp_path, environment), database_url, redis_url)


def test_nothing_that_a_purged_batch_said_is_found_anywhere_and_its_costs_are(place: Place) -> None:
    batch = place.submit("--task", "extraction", "--policy", "local-only")
    with place.docmill.worker("ingest"), place.docmill.worker("local"):
        status = place.docmill.until_over(int(batch))
        assert {leak.partition(" ")[0] for leak in place.leaks()} == set(WORDS)
        costs = place.docmill.json("costs", batch)
        place.docmill.run("purge", batch, "--keep-costs")
        wait_until(lambda: not place.leaks(), timeout=30, what=f"no word is left: {place.leaks()}")
    assert place.leaks() == []
    assert place.docmill.json("costs", batch) == costs
    after = place.docmill.json("status", batch)
    assert (after["state"], after["name"]) == ("purged", None)
    assert (after["documents"], after["jobs"]) == (status["documents"], status["jobs"])
    assert place.docmill.rows(batch) == []
    assert place.docmill.json("receipt", batch)["frontier_calls"] == 0


def test_a_deleted_batch_is_nobodys_and_its_money_stays_in_the_sums(place: Place) -> None:
    batch = place.submit("--task", "extraction")
    with place.docmill.worker("ingest"), place.docmill.worker("local"):
        place.docmill.until_over(int(batch))
    before = place.docmill.json("costs", "--by", "day")
    assert "docmill cancel" not in place.docmill.run("delete", batch)
    assert place.leaks() == []
    assert place.docmill.json("list") == []
    assert place.docmill.json("costs", "--by", "day") == before
    assert [row["key"] for row in place.docmill.json("costs", "--by", "batch")] == ["purged"]
    assert "there is no batch" in place.docmill.run("status", batch, code=1)


def test_a_batch_that_is_not_over_is_not_purged(place: Place) -> None:
    batch = place.submit()
    assert f"docmill cancel {batch}" in place.docmill.run("purge", batch, code=1)
    place.docmill.run("cancel", batch)
    place.docmill.run("purge", batch)
    assert place.leaks() == []
    assert "there is no batch 999" in place.docmill.run("purge", "999", code=1)


def test_a_batch_is_purged_by_itself_when_its_retention_ends(place: Place) -> None:
    (place.docmill.folder / "docmill.toml").write_text("[retention]\ndays = 30\n")
    batch = place.submit("--task", "extraction")
    with place.docmill.worker("ingest"), place.docmill.worker("local"):
        place.docmill.until_over(int(batch))
        wait_until(lambda: "finished" in place.batches(), what="the leader has closed it")
        _end_retention(place)

        def purged() -> bool:
            return place.docmill.json("status", batch)["state"] == "purged" and not place.leaks()

        wait_until(purged, timeout=30, what="it is purged")
    calls = place.docmill.json("costs", batch)[0]["calls"]
    assert Decimal(calls) > 0


def _end_retention(place: Place) -> None:
    with psycopg.connect(place.database, autocommit=True) as connection:
        left = connection.execute(
            "UPDATE batches SET purge_at = purge_at - interval '30 days' "
            "RETURNING finished_at - purge_at"
        ).fetchone()
    assert left is not None
    assert left[0].total_seconds() == pytest.approx(0, abs=1)
