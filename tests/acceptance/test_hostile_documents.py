"""Hostile documents through real servers, with models that obey them: what they wanted is marked,
and nothing of a local-only batch is sent anywhere."""

import json
from pathlib import Path

from tests.commands import Docmill
from tests.hostile import HONEST, HOSTILE, SCHEMA
from tests.rows import Connection, rows
from tests.stubs.process import stub_process

ASK = {"ask": "Find the seller, the date, the total and the IBAN.", "schema": SCHEMA}
MODEL = "anthropic/claude-sonnet-4-6"
ESCALATING = '[tasks.extraction]\nescalate = "frontier"\n'


def test_what_a_model_says_that_obeys_a_document_is_never_sure(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    """The frontier obeys, too; a batch that may leave the building asks it again about what is
    wrong."""
    answers = {f"Invoice {each.name}": each.obeyed for each in HOSTILE}
    local = ("ollama", "--models", "phi4-mini", "--answers", json.dumps(answers))
    frontier = ("openai", "--models", MODEL, "--answers", json.dumps(answers))
    with stub_process(*local) as ollama, stub_process(*frontier) as gateway:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": ollama.url}
        urls |= {"FRONTIER_BASE_URL": f"{gateway.url}/v1", "FRONTIER_API_KEY": "k"}
        docmill = Docmill(tmp_path, urls)
        (tmp_path / "docmill.toml").write_text(ESCALATING)
        (tmp_path / "in").mkdir()
        for each in HOSTILE:
            (tmp_path / "in" / each.file).write_bytes(each.data)
        asked = {"asks": [{**ASK, "task": "extraction", "name": "bill"}], "accept": {"error": 0.1}}
        (tmp_path / "spec.yaml").write_text(json.dumps(asked))
        submit = ("submit", "in", "--spec", "spec.yaml")
        with docmill.worker("ingest"), docmill.worker("local"):
            inside = docmill.json(*submit, "--policy", "local-only")["batch"]
            docmill.until_over(inside)
            assert gateway.stats()["answered"] == 0
            outside = docmill.json(*submit, "--no-reuse")["batch"]
            with docmill.worker("frontier"):
                docmill.until_over(outside)
    for batch in (inside, outside):
        found = {Path(row["document"]).name: row for row in docmill.rows(str(batch))}
        assert len(found) == len(HOSTILE)
        for each in HOSTILE:
            row = found[each.file]
            assert row["state"] == "done", (row["error"], row["escalation_reason"], row["chain"])
            assert set(row["value"]) == set(HONEST)
            for name, said in each.told.items():
                marked = row["fields"][name]
                assert row["value"][name] == said
                assert (marked["outcome"], marked["accepted"]) != ("sure", True), (each, marked)
                assert marked["outcome"] in ("check", "wrong"), (each, marked)
                assert marked["accepted"] is False, (each, marked)
    assert rows(db, "SELECT DISTINCT zone FROM calls WHERE batch_id = %s", inside) == [("local",)]
    assert rows(db, "SELECT DISTINCT task, found_by FROM jobs") == [("extraction", "user")]
    assert rows(db, "SELECT count(*) FROM corrections") == [(0,)]
