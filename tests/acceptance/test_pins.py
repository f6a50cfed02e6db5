"""Private data keeps its chunk on the local engine, whatever the task turns out to be."""

from pathlib import Path

import psycopg

from tests.commands import Docmill
from tests.stubs.process import stub_process

PRIVATE = "SECRETHOLDER has PAN ABCPE1234F"
CONFIG = """
[pin]
patterns = ["pan", "aadhaar"]
[pin.own]
"matter number" = 'M-\\d{6}'
[tasks.extraction]
escalate = "frontier"
"""
SPEC = """
asks:
  - {name: sum, ask: Sum up., task: summary}
  - {name: auto, ask: Say why that is so.}
  - {name: find, ask: Find the holder., task: extraction}
"""


def test_no_prompt_with_private_data_reaches_the_frontier(
    tmp_path: Path, database_url: str, redis_url: str, db: psycopg.Connection
) -> None:
    local = ("--models", "phi4-mini", "--answers", '{"Request: ": {"task": "reasoning"}}')
    with (
        stub_process("ollama", *local) as ollama,
        stub_process(
            "openai", "--models", "anthropic/claude-sonnet-4-6", "--keep-texts", "true"
        ) as frontier,
    ):
        docmill = Docmill(
            tmp_path,
            {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "OLLAMA_HOST": ollama.url,
                "FRONTIER_BASE_URL": f"{frontier.url}/v1",
                "FRONTIER_API_KEY": "sk-x",
            },
        )
        (tmp_path / "docmill.toml").write_text(CONFIG)
        (tmp_path / "spec.yaml").write_text(SPEC)
        texts = [PRIVATE, "SECRETHOLDER in matter M-123456", "a plain letter", "a second letter"]
        lines = "".join(f'{{"text": "{text}"}}\n' for text in texts)
        batch = docmill.json("submit", "-", "--spec", "spec.yaml", stdin=lines)["batch"]
        with docmill.worker("all"):
            status = docmill.until_over(batch)
        prompts = str(frontier.prompts())
    assert status["jobs"] == {"done": 12}, status
    assert "a plain letter" in prompts
    assert "SECRETHOLDER" not in prompts
    pinned = db.execute("SELECT DISTINCT pinned, tier FROM results").fetchall()
    assert {row for row in pinned if row[0]} == {("pan", "local"), ("matter number", "local")}
    assert docmill.json("receipt", str(batch))["pinned"] == {"matter number": 1, "pan": 1}
