"""The seed use of the product, with the commands as a user types them."""

import csv
import io
import signal
from pathlib import Path

import psycopg
import pytest

from tests.commands import Docmill
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until

OLLAMA_MODELS = "phi4-mini"
FRONTIER_MODELS = "anthropic/claude-sonnet-4-6"


@pytest.fixture
def ollama() -> StubProcess:
    with stub_process("ollama", "--models", OLLAMA_MODELS) as stub:
        yield stub


@pytest.fixture
def frontier() -> StubProcess:
    with stub_process("openai", "--models", FRONTIER_MODELS) as stub:
        yield stub


@pytest.fixture
def docmill(
    tmp_path: Path, database_url: str, redis_url: str, ollama: StubProcess, frontier: StubProcess
) -> Docmill:
    return Docmill(
        tmp_path,
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "OLLAMA_HOST": ollama.url,
            "FRONTIER_BASE_URL": f"{frontier.url}/v1",
            "FRONTIER_API_KEY": "sk-very-secret",
        },
    )


@pytest.fixture
def bills(tmp_path: Path) -> Path:
    folder = tmp_path / "bills"
    folder.mkdir()
    for number in range(6):
        text = (
            f"Vendor {number} Ltd\nInvoice {number} dated {number + 1} May 2026\nTotal {number}0.50"
        )
        (folder / f"bill-{number}.txt").write_text(text)
    (folder / "empty.txt").write_text("")
    (folder / "picture.png").write_bytes(bytes(range(256)) * 8)
    return folder


def test_submit_two_pools_results_and_costs(
    docmill: Docmill, bills: Path, ollama: StubProcess, frontier: StubProcess
) -> None:
    submitted = docmill.json(
        "submit", str(bills), "--ask", "Find them.", "--fields", "vendor,total,date",
        "--task", "extraction",
    )  # fmt: skip
    summed = docmill.json("submit", str(bills), "--ask", "Sum up.", "--task", "summary")
    with docmill.worker("ingest"), docmill.worker("local"), docmill.worker("frontier"):
        first = docmill.until_over(submitted["batch"])
        second = docmill.until_over(summed["batch"])

    assert submitted["documents"] == 6
    assert {refused["category"] for refused in submitted["refused"]} == {
        "empty",
        "unsupported_type",
    }
    assert first["jobs"] == {"done": 6}
    assert first["documents"] == {"done": 6}
    assert second["jobs"] == {"done": 6}
    assert ollama.stats()["answered"] == 6
    assert frontier.stats()["answered"] == 6
    assert frontier.stats()["repeats"] == 0

    printed = docmill.run("results", str(submitted["batch"]), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert len(rows) == 6
    assert {"value.vendor", "value.total", "value.date"} <= rows[0].keys()
    assert {row["tier"] for row in rows} == {"local"}

    costs = {row["key"]: row for row in docmill.json("costs")}
    assert costs["phi4-mini"]["calls"] == 6
    assert costs["phi4-mini"]["cost_usd"] is None
    assert costs["phi4-mini"]["unknown_price_calls"] == 6
    assert float(costs["anthropic/claude-sonnet-4-6"]["cost_usd"]) > 0
    assert docmill.json("receipt", str(submitted["batch"]))["frontier_calls"] == 0
    assert docmill.json("receipt", str(summed["batch"]))["frontier_calls"] == 6


@pytest.mark.parametrize(
    ("sure", "found_by", "calls"), [(0.75, "learned", []), (1.0, "model", [1])]
)
def test_a_language_model_is_asked_once_what_an_ask_is_and_only_where_nothing_else_is_sure(
    docmill: Docmill, db: psycopg.Connection, sure: float, found_by: str, calls: list[int]
) -> None:
    (docmill.folder / "docmill.toml").write_text(f"[classifier]\nsure = {sure}\ndoubt = 0.0\n")
    lines = "".join(f'{{"id": {number}, "text": "text {number}"}}\n' for number in range(20))
    submitted = docmill.json("submit", "-", "--ask", "Find the names.", stdin=lines)
    with docmill.worker("all"):
        status = docmill.until_over(submitted["batch"])

    assert status["jobs"] == {"done": 20}
    tasks = [row for row in docmill.json("costs", "--by", "task") if row["key"] == "classify step"]
    assert [row["calls"] for row in tasks] == calls
    said = "SELECT DISTINCT found_by, found_version IS NOT NULL, confidence > 0 FROM jobs"
    assert db.execute(said).fetchall() == [(found_by, True, True)]


def test_local_only_never_reaches_the_frontier(
    docmill: Docmill, bills: Path, frontier: StubProcess
) -> None:
    batch = docmill.json(
        "submit", str(bills), "--ask", "Sum up.", "--task", "summary", "--policy", "local-only"
    )["batch"]
    with docmill.worker("all"):
        status = docmill.until_over(batch)

    assert status["jobs"] == {"done": 6}
    assert frontier.stats()["requests"] == 0
    assert {row["tier"] for row in docmill.rows(str(batch))} == {"local"}
    assert docmill.json("receipt", str(batch))["frontier_calls"] == 0


def test_a_worker_that_is_told_to_stop_exits_with_0_and_leaves_no_lease(
    docmill: Docmill, bills: Path, ollama: StubProcess, db
) -> None:
    ollama.set(latency=0.3)
    batch = docmill.json("submit", str(bills), "--ask", "Find.", "--task", "extraction")["batch"]
    running = docmill.start("worker", "all", "--slots", "1")
    running.until_says("worker started")

    def begun() -> bool:
        return ollama.stats()["requests"] > 0

    wait_until(begun, what="a call has begun")
    assert running.end() == 0
    assert db.execute("SELECT count(*) FROM jobs WHERE state = 'running'").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM calls WHERE state = 'reserved'").fetchone() == (0,)
    with docmill.worker("all"):
        status = docmill.until_over(batch)
    assert status["jobs"] == {"done": 6}
    assert ollama.stats()["answered"] == 6, "running calls were finished and kept"


def test_without_a_key_the_frontier_pool_says_what_is_missing(docmill: Docmill) -> None:
    del docmill.environment["FRONTIER_API_KEY"]
    said = docmill.run("worker", "frontier", code=1)
    assert "FRONTIER_API_KEY" in said


def test_wrong_usage_exits_with_2_and_a_failure_with_1(docmill: Docmill, tmp_path: Path) -> None:
    docmill.run("submit", str(tmp_path), code=2)
    docmill.run("submit", "no-such-file.txt", "--ask", "x", code=1)
    docmill.run("status", "4711", code=1)
    docmill.run("results", "--task", "nonsense", code=2)


def test_every_attempt_asks_anew_and_the_last_failure_says_why(
    docmill: Docmill, ollama: StubProcess
) -> None:
    ollama.set(answers={"Text:": "not json at all"})
    batch = docmill.json("submit", "-", "--ask", "Find.", "--task", "extraction", stdin="a text")
    with docmill.worker("all"):
        status = docmill.until_over(batch["batch"])

    [row] = docmill.rows(str(batch["batch"]))
    assert status["jobs"] == {"failed": 1}
    assert (row["attempts"], row["error"]["category"]) == (5, "invalid_json")
    assert ollama.stats()["requests"] == 10, "five attempts, each mended once"

    ollama.set(answers={})
    docmill.run("retry", str(batch["batch"]), "--reason", "invalid_json")
    with docmill.worker("all"):
        assert docmill.until_over(batch["batch"])["jobs"] == {"done": 1}


def test_a_wrong_redis_url_is_said_before_anything_is_stored(docmill: Docmill) -> None:
    docmill.environment["REDIS_URL"] = "redis://localhost:abc"
    said = docmill.run("submit", "-", "--ask", "Find.", stdin="a text", code=1)
    assert "REDIS_URL" in said
    assert docmill.json("list") == []


def test_up_without_a_key_runs_the_rest_and_ends_when_its_terminal_is_closed(
    docmill: Docmill,
) -> None:
    del docmill.environment["FRONTIER_API_KEY"]
    running = docmill.start("up", "--port", "0")
    running.until_says("worker started")
    running.until_says("docmill is up")
    assert "without the frontier pool" in running.said()
    assert running.end(signal.SIGHUP) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_worker_at_once(
    docmill: Docmill, ollama: StubProcess, number: signal.Signals
) -> None:
    ollama.set(latency=20)
    docmill.json("submit", "-", "--ask", "Find.", "--task", "extraction", stdin="a text")
    running = docmill.start("worker", "all")
    wait_until(lambda: ollama.stats()["in_flight"] == 1, timeout=60, what="a call is under way")
    running.process.send_signal(number)
    running.until_says("a second signal ends it")
    assert running.end(number, timeout=3) == 0
    assert "Traceback" not in running.said()
