"""A document of 600 pages, summed up by a model with a window of 8,192 tokens."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.commands import Docmill
from tests.rows import Connection, value
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until

MODEL = "anthropic/claude-sonnet-4-6"
FILE = '[engines.frontier]\nkind = "openai"\ncontext_tokens = 8192\n'
PAGES, LINES = 600, 30
PARTS = "SELECT count(*) FROM jobs WHERE parent_id IS NOT NULL AND state = 'done'"


@pytest.fixture
def frontier() -> Iterator[StubProcess]:
    with stub_process("openai", "--models", MODEL, "--latency", "0.2") as stub:
        yield stub


@pytest.fixture
def docmill(
    tmp_path: Path, database_url: str, redis_url: str, frontier: StubProcess
) -> Iterator[Docmill]:
    (tmp_path / "docmill.toml").write_text(FILE)
    places = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OLLAMA_HOST": "127.0.0.1:9",
        "FRONTIER_BASE_URL": f"{frontier.url}/v1",
        "FRONTIER_API_KEY": "sk-x",
    }
    made = Docmill(tmp_path, places)
    with ExitStack() as stack:
        stack.enter_context(made.worker("ingest"))
        stack.enter_context(made.worker("frontier", "--slots", "4"))
        yield made


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Pages end with a form feed."""
    path = tmp_path / "book.txt"
    lines = (
        (f"Page {page}, line {line}: Asha pays {page * line} rupees." for line in range(LINES))
        for page in range(PAGES)
    )
    path.write_text("\f".join("\n\n".join(page) for page in lines))
    return path


def submit(docmill: Docmill, book: Path) -> int:
    words = ("--ask", "Sum up.", "--task", "summary", "--scope", "document")
    return int(docmill.json("submit", str(book), *words)["batch"])


def test_600_pages_come_to_one_summary_and_every_part_is_asked_once(
    docmill: Docmill, book: Path, frontier: StubProcess, db: Connection
) -> None:
    batch = submit(docmill, book)
    assert docmill.until_over(batch)["jobs"] == {"done": 1}
    [row] = docmill.rows(str(batch))
    assert row["pages"] == [1, PAGES]
    assert row["value"]["summary"]
    stats, parts = frontier.stats(), value(db, PARTS)
    assert parts > 30
    assert stats["requests"] == stats["answered"] == stats["distinct_prompts"] == parts + 1
    assert stats["repeats"] == 0


def test_a_bad_part_is_mended_alone(
    docmill: Docmill, book: Path, frontier: StubProcess, db: Connection
) -> None:
    frontier.script(*["ok"] * 9, "parts")  # an answer that is no JSON
    batch = submit(docmill, book)
    assert docmill.until_over(batch)["jobs"] == {"done": 1}
    assert frontier.stats()["requests"] == value(db, PARTS) + 2


def test_a_pause_stops_it_between_parts(
    docmill: Docmill, book: Path, frontier: StubProcess, db: Connection
) -> None:
    batch = submit(docmill, book)
    wait_until(lambda: value(db, PARTS) >= 4, what="the first parts are done")
    docmill.run("pause", str(batch))
    wait_until(lambda: frontier.stats()["in_flight"] == 0, what="what was asked is answered")
    done, asked = value(db, PARTS), frontier.stats()["requests"]
    assert docmill.json("status", str(batch))["state"] == "paused"
    docmill.run("resume", str(batch))
    assert docmill.until_over(batch)["jobs"] == {"done": 1}
    assert 4 <= done <= asked < value(db, PARTS)
    assert frontier.stats()["repeats"] == 0
