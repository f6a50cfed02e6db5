"""Examples of asks and versions of prompts through real commands, workers and a stub engine."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Docmill
from tests.rows import Connection, rows, value
from tests.stubs.process import StubProcess, stub_process

ASK = "Which total?"
PLACE = "local/phi4-mini"


def text(number: int) -> str:
    return f"Bill {number:03} of the shop at the corner, to be paid in cash: {number}.50 in all."


class Place:
    """An engine that keeps what it is sent, and a folder to type commands in."""

    def __init__(self, docmill: Docmill, ollama: StubProcess) -> None:
        self.docmill, self.ollama = docmill, ollama

    def submitted(self, texts: list[str], examples: Any) -> int:
        ask = {"ask": ASK, "fields": ["total"], "task": "extraction", "examples": examples}
        (self.docmill.folder / "spec.yaml").write_text(json.dumps({"asks": [ask]}))
        given = "\n".join(json.dumps({"text": each}) for each in texts)
        batch: int = self.docmill.json("submit", "-", "--spec", "spec.yaml", stdin=given)["batch"]
        self.docmill.until_over(batch)
        return batch

    def asked(self, of: str) -> list[str]:
        """The prompts that end in a text."""
        prompts = [row["text"] for row in self.ollama.prompts()]
        return [prompt for prompt in prompts if prompt.endswith(of)]


@pytest.fixture
def place(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Place]:
    with stub_process("ollama", "--models", "phi4-mini", "--keep-texts", "true") as ollama:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": ollama.url}
        docmill = Docmill(tmp_path, urls)
        found = [{"text": text(n), "fields": {"total": f"{n}.50"}} for n in range(30)]
        (tmp_path / "bills.jsonl").write_text("\n".join(map(json.dumps, found)))
        words = ("--ask", ASK, "--licence", "own", "--source", "a test")
        docmill.run("gold", "import", "bills", "bills.jsonl", *words)
        yield Place(docmill, ollama)


def test_examples_reach_the_engine_and_the_row_tells_it(place: Place, db: Connection) -> None:
    held = value(db, "SELECT text FROM gold WHERE split = 'held' ORDER BY id LIMIT 1")
    train = value(db, "SELECT text FROM gold WHERE split = 'train' ORDER BY id LIMIT 1")
    with place.docmill.worker("ingest"), place.docmill.worker("local"):
        own = place.submitted(["Rent: 7.00"], [{"text": "Sum: 12", "fields": {"total": "12"}}])
        near = place.submitted([held, train], "gold:bills")
        place.docmill.run("eval", "--gold", "bills", "--model", PLACE, "--examples", "0",
                          "--examples", "2", "--prompt", "1", "--most", "3")  # fmt: skip
    [said] = place.asked("Rent: 7.00")
    assert "Sum: 12" in said
    assert "Blue Leaf Cafe" not in said
    told = "SELECT a.prompt FROM answers a JOIN jobs j ON j.id = a.job_id WHERE j.batch_id = %s"
    assert value(db, told, own)["examples"] == {"shown": [1]}
    prompts = [row[0] for row in rows(db, f"{told} ORDER BY j.id", near)]
    held_ids = {row[0] for row in rows(db, "SELECT id FROM gold WHERE split = 'held'")}
    for each in prompts:
        assert len(each["examples"]["shown"]) == 3
        assert not held_ids & set(each["examples"]["shown"])
    leaks = value(db, "SELECT id FROM gold WHERE text = %s", train)
    assert prompts[1]["examples"]["leaks"] == [leaks]
    assert [said.count(train) for said in place.asked(train)] == [1]
    [figures] = [json.loads(place.docmill.run("eval", "show", "1", "--json"))]
    assert {row["model"] for row in figures} == {
        f"{PLACE} prompt 1",
        f"{PLACE} prompt 1 examples 2",
    }


def test_a_promoted_version_counts_for_new_batches(place: Place, db: Connection) -> None:
    docmill = place.docmill
    assert "extraction/2" in docmill.run("prompts", "list")
    assert "+languages:" in docmill.run("prompts", "diff", "extraction", "1", "2")
    docmill.run("prompts", "promote", "extraction", "1")
    said = tomllib.loads((docmill.folder / "docmill.toml").read_text())
    assert said == {"prompts": {"extraction": 1}}
    assert "docmill.toml names it" in docmill.run("prompts", "list")
    with docmill.worker("ingest"), docmill.worker("local"):
        place.submitted(["Rent: 7.00"], None)
    assert value(db, "SELECT prompt->>'version' FROM answers") == "extraction/1"
    refused = docmill.run("prompts", "promote", "extraction", "99", code=1)
    assert "has no version 99; there are 1, 2" in refused
    (docmill.folder / "spec.yaml").write_text(
        json.dumps({"asks": [{"ask": "x", "task": "extraction", "prompt": 99}]})
    )
    refused = docmill.run("submit", "spec.yaml", "--spec", "spec.yaml", code=1)
    assert "has no version 99; there are 1, 2" in refused
