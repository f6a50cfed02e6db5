"""Scans that a model of a local engine is shown: read, pinned, asked about and accounted for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import scans
from tests.commands import Docmill
from tests.recount import offences
from tests.rows import Connection, rows
from tests.stubs.process import StubProcess, stub_process

PROMPT = "Write down all text of this page"
SAID = "The sender is Asha Rao of Pune."
TOML = """
[reading]
ocr = "local/qwen2.5vl:7b"
[engines.local]
slots = 1
"""
ASK = ("--ask", "Who is the sender?", "--task", "extraction", "--fields", "sender")


@contextmanager
def docmill(
    tmp_path: Path, database_url: str, redis_url: str, *knobs: str
) -> Iterator[tuple[Docmill, StubProcess]]:
    """With a letter of two scanned pages, and an Ollama that has a model for them."""
    (tmp_path / "letter.pdf").write_bytes(scans.scanned("one", "two"))
    (tmp_path / "docmill.toml").write_text(TOML)
    with stub_process("ollama", "--models", "phi4-mini,qwen2.5vl:7b", *knobs) as ollama:
        yield Docmill.in_the_building(tmp_path, database_url, redis_url, ollama.url), ollama


def test_a_scan_is_shown_page_by_page_and_its_text_is_asked_about_in_the_building(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    knobs = ("--vision", "true", "--latency", "0.2", "--answers", json.dumps({PROMPT: SAID}))
    there = docmill(tmp_path, database_url, redis_url, *knobs)
    with there as (command, ollama), command.worker("all"):
        batch = command.json("submit", "letter.pdf", *ASK)["batch"]
        status = command.until_over(batch)
        assert status["documents"] == {"done": 1}
        [document] = command.json("documents", str(batch))
        assert "pages 1-2: read by OCR (local/qwen2.5vl:7b)" in document["notes"]
        found = command.rows(str(batch))
        assert [row["pages"] for row in found] == [[1, 2]]
        assert {(row["state"], row["tier"]) for row in found} == {("done", "local")}
        receipt = json.dumps(command.json("receipt", str(batch)))
        assert "qwen2.5vl:7b" in receipt
        costs = {row["key"]: row["calls"] for row in command.json("costs", "--by", "task")}
        assert costs["pages shown"] == 2
        assert "scans are read by local/qwen2.5vl:7b" in command.run("doctor", code=1)
        assert ollama.stats()["max_in_flight"] == 1
    shown = rows(
        db,
        "SELECT purpose, zone, state, model_asked, job_id, answer, input_tokens > 0 "
        "FROM calls WHERE document_id IS NOT NULL",
    )
    assert shown == [("page", "local", "settled", "qwen2.5vl:7b", None, None, True)] * 2
    assert rows(db, "SELECT DISTINCT pinned FROM chunks") == [("scan",)]
    assert offences(db) == []


def test_a_model_that_reads_no_images_leaves_the_scan_waiting_and_says_what_to_do(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    with docmill(tmp_path, database_url, redis_url) as (command, _), command.worker("all"):
        batch = command.json("submit", "letter.pdf", *ASK)["batch"]
        assert command.until_over(batch)["documents"] == {"needs_ocr": 1}
        [document] = command.json("documents", str(batch))
        assert "reads no images: name a model that does in reading.ocr" in document["message"]
        said = command.run("doctor", code=1)
        assert "local/qwen2.5vl:7b reads no images" in said
