"""Budgets hold under concurrency, and only the frontier waits for them."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests.commands import Docmill
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until

BOUND = Decimal("0.011")
"""One job's upper bound, in USD: 512 tokens out and about 1,050 in. What is left of a budget is
less than that when the first job is held."""

SPEC = """
asks:
  - {name: sum, ask: Sum up., task: summary}
  - {name: find, ask: Find the names., task: extraction}
"""


@pytest.fixture
def frontier() -> Iterator[StubProcess]:
    with stub_process(
        "openai", "--models", "anthropic/claude-sonnet-4-6", "--latency", "0.05"
    ) as stub:
        yield stub


@pytest.fixture
def docmill(
    tmp_path: Path, database_url: str, redis_url: str, frontier: StubProcess
) -> Iterator[Docmill]:
    with stub_process("ollama", "--models", "phi4-mini") as ollama:
        (tmp_path / "spec.yaml").write_text(SPEC)
        yield Docmill(
            tmp_path,
            {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "OLLAMA_HOST": ollama.url,
                "FRONTIER_BASE_URL": f"{frontier.url}/v1",
                "FRONTIER_API_KEY": "sk-x",
            },
        )


def mails(number: int, first: int = 0, words: str = "") -> str:
    return "".join(f'{{"text": "mail {n} {words}"}}\n' for n in range(first, first + number))


def test_a_budget_holds_frontier_jobs_while_local_work_goes_on_and_resume_continues(
    docmill: Docmill, frontier: StubProcess
) -> None:
    options = ("--spec", "spec.yaml", "--max-cost", "0.03")
    submitted = docmill.json("submit", "-", *options, stdin=mails(150))
    batch = str(submitted["batch"])
    with docmill.worker("all"):
        status = docmill.until_over(submitted["batch"])
        answered = frontier.stats()["answered"]
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


def test_a_dollar_is_spent_to_the_last_cents_with_32_calls_in_flight(
    docmill: Docmill, frontier: StubProcess
) -> None:
    frontier.set(latency=0.3)
    lines = mails(1_000, words="word " * 450)
    options = ("--ask", "Sum up.", "--task", "summary", "--max-cost", "1.00")
    batch = docmill.json("submit", "-", *options, stdin=lines)["batch"]
    with docmill.worker("ingest"), docmill.worker("frontier"), docmill.worker("frontier"):
        status = docmill.until_over(batch)
    most = frontier.stats()["max_in_flight"]
    print(f"spent ${status['cost_usd']} of $1.00 with {most} calls in flight")  # noqa: T201  # the figure itself
    assert most == 32
    assert status["jobs"].keys() == {"done", "held"}
    assert Decimal("0.97") <= Decimal(status["cost_usd"]) <= Decimal("1.00")


def test_a_days_budget_holds_for_all_batches_together_and_the_next_day_goes_on_by_itself(
    docmill: Docmill, frontier: StubProcess, db: psycopg.Connection
) -> None:
    (docmill.folder / "docmill.toml").write_text('[limits]\nusd_per_day = "0.03"\n')
    options = ("--spec", "spec.yaml")
    batches = [
        docmill.json("submit", "-", *options, stdin=mails(60, first))["batch"] for first in (0, 60)
    ]
    with docmill.worker("all"):
        ended = [docmill.until_over(batch) for batch in batches]
        spent = sum(Decimal(status["cost_usd"]) for status in ended)
        assert Decimal("0.03") - BOUND <= spent <= Decimal("0.03")
        held = docmill.rows("--state", "held")
        assert len(held) == 120 - frontier.stats()["answered"] > 0
        assert "midnight UTC" in held[0]["error"]["message"]
        assert len(docmill.rows("--state", "done", "--tier", "local")) == 120
        next_day = "UPDATE calls SET started_at = started_at - interval '1 day'"
        db.execute(next_day)
        db.execute("UPDATE holds SET until = now()")
        before = frontier.stats()["answered"]
        wait_until(lambda: frontier.stats()["answered"] > before, what="the next day goes on")
        ended = [docmill.until_over(batch) for batch in batches]
    today = Decimal(docmill.json("costs", "--by", "day")[-1]["cost_usd"])
    assert sum(Decimal(status["cost_usd"]) for status in ended) - spent == today <= Decimal("0.03")


def test_a_long_ask_is_reserved_at_its_length(docmill: Docmill, frontier: StubProcess) -> None:
    ask = "Sum up, and mind this. " + "Say no word too many of any kind. " * 500
    options = ("--ask", ask, "--task", "summary", "--max-cost", "0.20")
    batch = docmill.json("submit", "-", *options, stdin=mails(40))["batch"]
    with docmill.worker("all"):
        status = docmill.until_over(batch)
    assert Decimal("0.16") <= Decimal(status["cost_usd"]) <= Decimal("0.20")
    assert status["jobs"].keys() == {"done", "held"}
