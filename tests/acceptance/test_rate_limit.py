"""One rate limit for all frontier workers: a strict server never has to say 429."""

from pathlib import Path

from tests.commands import Docmill
from tests.stubs.process import stub_process

CONFIG = """
[engines.frontier]
kind = "openai"
rpm = 540
window_s = 4
max_in_flight = 16
"""

PROVIDER = ("--rpm", "40", "--window-s", "4", "--latency", "0.05")
"""600 a minute, counted over 4 s. Without a limit of their own, workers ask for more at once."""


def test_two_frontier_workers_share_one_limit_and_never_step_over_it(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    with stub_process("openai", "--models", "anthropic/claude-sonnet-4-6", *PROVIDER) as frontier:
        (tmp_path / "docmill.toml").write_text(CONFIG)
        docmill = Docmill(
            tmp_path,
            {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "OLLAMA_HOST": "127.0.0.1:9",
                "FRONTIER_BASE_URL": f"{frontier.url}/v1",
                "FRONTIER_API_KEY": "sk-very-secret",
            },
        )
        lines = "".join(f'{{"text": "mail number {n}"}}\n' for n in range(60))
        batch = docmill.json("submit", "-", "--ask", "Sum up.", "--task", "summary", stdin=lines)
        with (
            docmill.worker("ingest") as ingest,
            docmill.worker("frontier") as one,
            docmill.worker("frontier") as other,
        ):
            status = docmill.until_over(batch["batch"])
            said = ingest.said() + one.said() + other.said()

        assert status["jobs"] == {"done": 60}
        assert frontier.stats()["over_limit"] == 0
        assert frontier.stats()["requests"] == 60
        assert "sk-very-secret" not in said
