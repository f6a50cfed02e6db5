"""Prompts that take their engine down are found out and given up; nothing else pays for them."""

from pathlib import Path

import pytest

from tests.commands import Docmill
from tests.rows import Connection, column, rows, value
from tests.stubs.process import stub_process

DEADLY = "the word that no compiler survives"
DOCUMENTS, DEADLY_EVERY = 200, 40


@pytest.mark.timeout(180)
def test_what_takes_an_engine_down_twice_fails_and_everything_else_is_done(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    # One that was back at once would be found well by a worker that looks too late.
    dies = ("--deadly", DEADLY, "--down-s", "1")
    knobs = ("--models", "phi4-mini", *dies, "--latency", "0.01:0.05")
    with stub_process("ollama", *knobs) as ollama:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": ollama.url}
        docmill = Docmill(tmp_path, urls)
        said = (f"Letter {n}{f', {DEADLY}' * (n % DEADLY_EVERY == 7)}." for n in range(DOCUMENTS))
        lines = "".join(f'{{"text": "{text}"}}\n' for text in said)
        words = ("--ask", "Which letter?", "--task", "extraction")
        batch = docmill.json("submit", "-", *words, stdin=lines)["batch"]
        with docmill.worker("ingest"), docmill.worker("local"):
            docmill.until_over(batch, timeout=120)
        deaths = ollama.stats()["deaths"]
    killers = DOCUMENTS // DEADLY_EVERY
    states = dict(rows(db, "SELECT state, count(*) FROM jobs GROUP BY state"))
    assert states == {"done": DOCUMENTS - killers, "failed": killers}
    assert deaths <= 2 * killers
    assert column(db, "SELECT DISTINCT attempts FROM jobs WHERE state = 'done'") == [1]
    said = value(db, "SELECT string_agg(DISTINCT error->>'category', ' ') FROM jobs")
    assert said == "engine_killer"
    [message] = column(db, "SELECT error->>'message' FROM jobs WHERE state = 'failed' LIMIT 1")
    assert "chunks 1 to 1" in message
    assert '"type":"object"' in message


@pytest.mark.timeout(240)
def test_what_other_processes_ask_at_the_same_engine_is_not_taken_for_it(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    documents, every = 60, 20
    # A supervisor takes seconds; a busy machine's workers look later than others.
    dies = ("--deadly", DEADLY, "--down-s", "2")
    knobs = ("--models", "phi4-mini", *dies, "--latency", "0.05:0.2")
    with stub_process("ollama", *knobs) as ollama:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": ollama.url}
        docmill = Docmill(tmp_path, urls)
        said = (f"Letter {n}{f', {DEADLY}' * (n % every == 7)}." for n in range(documents))
        lines = "".join(f'{{"text": "{text}"}}\n' for text in said)
        words = ("--ask", "Which letter?", "--task", "extraction")
        with docmill.worker("ingest"), docmill.worker("local"), docmill.worker("local"):
            batch = docmill.json("submit", "-", *words, stdin=lines)["batch"]
            docmill.until_over(batch, timeout=180)
        deaths = ollama.stats()["deaths"]
    killers = documents // every
    states = dict(rows(db, "SELECT state, count(*) FROM jobs GROUP BY state"))
    assert states == {"done": documents - killers, "failed": killers}
    assert deaths <= 2 * killers
    assert len(column(db, "SELECT DISTINCT owner FROM calls WHERE purpose = 'run'")) == 2
