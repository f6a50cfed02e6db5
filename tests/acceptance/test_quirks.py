"""Engines that answer against the rules: whatever they say, none of it is stored as an answer."""

import json
from pathlib import Path

import pytest

from tests.commands import Docmill
from tests.rows import Connection, column, rows
from tests.stubs.process import stub_process

QUIRKS = (
    "prose",
    "echo",
    "names",
    "copied",
    "other_schema",
    "empty",
    "thinks",
    "thinks_in_vain",
    "runs_away",
    "white_space",
    "empty_at_the_limit",
    "loop",
)
REASONS = {
    "invalid_json",
    "schema_mismatch",
    "schema_echo",
    "copied_example",
    "empty",
    "truncated",
    "loop",
}
SHARE = 0.055
DOCUMENTS = 400

TEXT = "Meera, who lives in Surat, writes again about the lamp that never came. " * 28
"""So long that the stub's answers, which are words near the end, are words of the text."""


@pytest.mark.timeout(300)
def test_no_answer_against_the_rules_is_ever_stored_as_one(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    faults = json.dumps(dict.fromkeys(QUIRKS, SHARE))
    with stub_process("ollama", "--models", "phi4-mini", "--faults", faults) as ollama:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": ollama.url}
        docmill = Docmill(tmp_path, urls)
        spec = {"ask": "Who writes?", "task": "extraction", "fields": ["sender", "city"]}
        (tmp_path / "spec.yaml").write_text(json.dumps({"asks": [spec]}))
        lines = "".join(f'{{"text": "{TEXT} Letter {n}."}}\n' for n in range(DOCUMENTS))
        batch = docmill.json("submit", "-", "--spec", "spec.yaml", stdin=lines)["batch"]
        with docmill.worker("ingest"), docmill.worker("local"):
            docmill.until_over(batch, timeout=240)
        calls, outcomes = ollama.stats()["requests"], ollama.stats()["outcomes"]
    assert calls >= 1_000
    assert set(QUIRKS) <= set(outcomes)
    for value in column(db, "SELECT value FROM answers"):
        assert set(value) == {"sender", "city"}
        assert not {"Asha", "Pune", "The Green Circle"} & set(map(str, value.values()))
        assert all("null" not in str(said) and said not in value for said in value.values())
    reasons = dict(
        rows(db, "SELECT error->>'category', count(*) FROM jobs WHERE state = 'failed' GROUP BY 1")
    )
    assert set(reasons) <= REASONS
