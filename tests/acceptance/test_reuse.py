"""The same question of the same text is asked once, and the ledger says whose answer it is."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.commands import Docmill
from tests.stubs.process import StubProcess, stub_process

ASK = ("--ask", "Find the names.", "--task", "extraction")
SUM = ("--ask", "Sum up.", "--task", "summary")
DISTINCT = 5


class Place:
    """Both engines, a local and a frontier pool, and a folder to type commands in."""

    def __init__(self, docmill: Docmill, local: StubProcess, frontier: StubProcess) -> None:
        self.docmill = docmill
        self.local = local
        self.frontier = frontier

    def run(self, texts: list[str], *options: str) -> dict[str, Any]:
        """Submit these texts and wait until the batch is over; its status."""
        lines = "".join(f'{{"text": "{text}"}}\n' for text in texts)
        batch = self.docmill.json("submit", "-", *options, stdin=lines)["batch"]
        return self.docmill.until_over(batch)


@pytest.fixture
def place(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Place]:
    with (
        stub_process("ollama", "--models", "phi4-mini", "--latency", "0.2") as local,
        stub_process("openai", "--models", "anthropic/claude-sonnet-4-6") as frontier,
    ):
        docmill = Docmill(
            tmp_path,
            {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "OLLAMA_HOST": local.url,
                "FRONTIER_BASE_URL": f"{frontier.url}/v1",
                "FRONTIER_API_KEY": "sk-x",
            },
        )
        with docmill.worker("all"), docmill.worker("local", "--slots", "4"):
            yield Place(docmill, local, frontier)


def test_twins_wait_for_one_call_and_later_batches_make_none(
    place: Place, db: psycopg.Connection
) -> None:
    texts = [f"mail number {number % DISTINCT}" for number in range(40)]
    first = place.run(texts, *ASK)
    assert first["jobs"] == {"done": 40}
    assert place.local.stats()["answered"] == DISTINCT
    second = place.run(texts, *ASK)
    assert second["jobs"] == {"done": 40}
    assert place.local.stats()["answered"] == DISTINCT
    answers = [place.docmill.rows(str(one["batch"])) for one in (first, second)]
    assert [row["value"] for row in answers[0]] == [row["value"] for row in answers[1]]
    assert [row["spans"] for row in answers[0]] == [row["spans"] for row in answers[1]]
    [costs] = place.docmill.json("costs", str(second["batch"]))
    assert (costs["calls"], Decimal(costs["cost_usd"])) == (0, 0)
    [asked] = place.docmill.json("costs", str(first["batch"]))
    assert (asked["calls"], asked["cost_usd"]) == (
        DISTINCT,
        None,
    )  # no usd_per_hour: unknown, not 0
    reused = db.execute(
        "SELECT r.cost_usd, r.batch_id, source.state, source.batch_id "
        "FROM calls r JOIN calls source ON source.id = r.reused_from WHERE r.state = 'reused'"
    ).fetchall()
    assert len(reused) == 80 - DISTINCT
    assert {(row[0], row[2], row[3]) for row in reused} == {(Decimal(0), "settled", first["batch"])}


def test_another_ask_another_model_and_no_reuse_ask_anew(place: Place) -> None:
    texts = [f"mail number {number}" for number in range(DISTINCT)]
    place.run(texts, *ASK)
    place.run(texts, "--ask", "Find the places.", "--task", "extraction")
    assert place.local.stats()["answered"] == 2 * DISTINCT
    place.run(texts, *ASK, "--fields", "name")
    assert place.local.stats()["answered"] == 3 * DISTINCT
    place.run(texts + texts, *ASK, "--no-reuse")
    assert place.local.stats()["answered"] == 5 * DISTINCT


def test_an_answer_of_the_frontier_is_none_for_a_local_only_batch(place: Place) -> None:
    texts = [f"mail number {number}" for number in range(DISTINCT)]
    place.run(texts, *SUM)
    assert place.frontier.stats()["answered"] == DISTINCT
    place.run(texts, *SUM, "--policy", "local-only")
    assert place.local.stats()["answered"] == DISTINCT
    again = place.run(texts, *SUM)
    assert place.frontier.stats()["answered"] == DISTINCT
    assert Decimal(again["cost_usd"]) == 0
