"""A budget holds under concurrency, and only the frontier waits for it."""

from decimal import Decimal
from pathlib import Path

from tests.commands import Docmill
from tests.stubs.process import stub_process

BOUND = Decimal("0.011")
SPEC = """
asks:
  - {name: sum, ask: Sum up., task: summary}
  - {name: find, ask: Find the names., task: extraction}
max_cost: "0.03"
"""


def test_a_budget_holds_frontier_jobs_while_local_work_goes_on_and_resume_continues(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    with (
        stub_process("ollama", "--models", "phi4-mini") as ollama,
        stub_process(
            "openai", "--models", "anthropic/claude-sonnet-4-6", "--latency", "0.05"
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
        (tmp_path / "spec.yaml").write_text(SPEC)
        lines = "".join(f'{{"text": "mail number {n}"}}\n' for n in range(150))
        submitted = docmill.json("submit", "-", "--spec", "spec.yaml", stdin=lines)
        batch = str(submitted["batch"])
        with docmill.worker("all"):
            status = docmill.until_over(submitted["batch"])
            answered = frontier.stats()["answered"]
            # One job's upper bound (512 tokens out, about 1,050 in) is $0.011: what is left of the
            # budget is less than that when the first job is held.
            assert Decimal("0.03") - BOUND <= Decimal(status["cost_usd"]) <= Decimal("0.03")
            assert status["jobs"]["held"] == 150 - answered
            assert status["jobs"]["done"] == 150 + answered
            held = docmill.rows(batch, "--state", "held")
            assert "--max-cost" in held[0]["error"]["message"]
            docmill.run("resume", batch, "--max-cost", "5")
            status = docmill.until_over(submitted["batch"])

        assert status["jobs"] == {"done": 300}
        assert frontier.stats()["answered"] == 150
        assert frontier.stats()["repeats"] == 0
