"""Every figure of `costs` can be recomputed from the ledger, row by row."""

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests.commands import Docmill
from tests.recount import offences
from tests.stubs.process import stub_process


@pytest.mark.timeout(120)
def test_every_figure_in_costs_follows_from_the_calls(
    tmp_path: Path, database_url: str, redis_url: str, db: psycopg.Connection
) -> None:
    with (
        stub_process("ollama", "--models", "phi4-mini") as ollama,
        stub_process("openai", "--models", "anthropic/claude-sonnet-4-6") as frontier,
    ):
        (tmp_path / "docmill.toml").write_text(
            '[engines.local]\nkind = "ollama"\nusd_per_hour = "1.95"\n'
        )
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
        lines = "".join(f'{{"text": "mail number {n}"}}\n' for n in range(12))
        batches = [
            docmill.json("submit", "-", "--ask", ask, "--task", task, stdin=lines)["batch"]
            for ask, task in (("Find.", "extraction"), ("Sum up.", "summary"))
        ]
        with docmill.worker("all"):
            for batch in batches:
                docmill.until_over(batch)
            engines = {row["model"]: row for row in docmill.json("engines")}
        costs = {row["key"]: row for row in docmill.json("costs")}
        sent = {"phi4-mini": ollama.stats(), "anthropic/claude-sonnet-4-6": frontier.stats()}

    assert offences(db) == []
    local = engines["phi4-mini"]
    assert local["addresses"] == [ollama.url.removeprefix("http://")]
    pays = Decimal(local["break_even_tokens_per_hour"]) * Decimal(local["frontier_usd_per_mtok"])
    assert pays / 1_000_000 == pytest.approx(Decimal("1.95"), rel=Decimal("0.01"))
    for model, row in costs.items():
        ledger = db.execute(
            "SELECT state, input_tokens, cached_tokens, output_tokens, cost_usd, engine_seconds,"
            " input_usd_per_mtok, cached_usd_per_mtok, output_usd_per_mtok, price_source"
            " FROM calls WHERE model_asked = %s",
            (model,),
        ).fetchall()
        assert {call[0] for call in ledger} == {"settled"}
        assert row["calls"] == len(ledger) == sent[model]["requests"]
        assert row["input_tokens"] == sum(call[1] for call in ledger)
        assert row["output_tokens"] == sum(call[3] for call in ledger)
        assert Decimal(row["cost_usd"]) == sum(call[4] for call in ledger)
        engine = engines[model]
        assert (engine["calls"], engine["workers"], engine["state"]) == (len(ledger), 1, "ok")
        million = sum(call[1] + call[3] for call in ledger) / Decimal(1_000_000)
        cost = Decimal(engine["usd_per_mtok"]) * million
        assert cost == pytest.approx(Decimal(row["cost_usd"]), rel=Decimal("0.01"))
        for call in ledger:
            assert call[4] == pytest.approx(_recomputed(call), abs=Decimal("1e-9"))


def _recomputed(call: tuple) -> Decimal:
    _, given, cached, written, _, seconds, in_price, cached_price, out_price, source = call
    if source == "machine hours":
        return Decimal(str(seconds)) * Decimal("1.95") / 3600 / 4
    cached = cached or 0
    return ((given - cached) * in_price + cached * cached_price + written * out_price) / Decimal(
        1_000_000
    )
