"""The configuration in Postgres: who writes its next number, and who goes by it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from models import configuration
from models.configuration import applied, current, gone_by, pending, proposed
from models.errors import ConfigError
from models.settings import settings
from models.words import TaskType, Zone

EVERYWHERE = frozenset(Zone)
LOCAL, FRONTIER = frozenset({Zone.LOCAL}), frozenset({Zone.FRONTIER})


class Host:
    """This process as a host with a docmill.toml and an environment of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self._monkeypatch = monkeypatch
        self._path = path

    def __call__(self, toml: str | None = None, **environment: str) -> None:
        self._path.unlink(missing_ok=True)
        if toml is not None:
            self._path.write_text(toml, "utf-8")
        for name in ("OLLAMA_HOST", "FRONTIER_BASE_URL", "FRONTIER_API_KEY"):
            self._monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        settings.cache_clear()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Host:
    """A host on which no Ollama answers and the embedded model is installed."""
    monkeypatch.setattr(configuration, "_answers", lambda url: False)
    monkeypatch.setattr(configuration, "_has_embedded", lambda: True)
    made = Host(monkeypatch, tmp_path / "docmill.toml")
    made()
    return made


def numbers(db: Any) -> list[int]:
    return [row[0] for row in db.execute("SELECT id FROM configurations ORDER BY id")]


def local_kind() -> str:
    found = current()
    assert found is not None
    return found.config.engines["local"].kind


def test_the_first_process_writes_number_1_and_the_next_ones_go_by_it(host: Host, db: Any) -> None:
    assert current() is None
    first = gone_by(LOCAL)
    assert first == applied() == gone_by(EVERYWHERE) == current()
    assert numbers(db) == [first.number]
    assert first.config.engines["local"].kind == "embedded"


def test_of_two_processes_that_are_the_first_one_writes_it(host: Host, db: Any) -> None:
    found: list[Any] = []
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        found.append(applied())

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers(db)) == 1
    assert found == [current()] * 4


def test_three_terminals_of_which_one_knows_the_ollama_agree(host: Host, db: Any) -> None:
    """OLLAMA_HOST is set where documents are submitted, and not where they are read."""
    host(OLLAMA_HOST="http://gpu:11434", FRONTIER_API_KEY="sk-secret")
    submitted = applied()
    host()
    assert gone_by(frozenset()) == submitted
    assert gone_by(LOCAL) == submitted
    host(OLLAMA_HOST="http://another-name:11434")
    assert gone_by(LOCAL) == submitted, "where it finds the engine is each host's own"
    assert submitted.config.engines["local"].kind == "ollama"
    assert not submitted.config.engines["frontier"].stand_in
    assert numbers(db) == [submitted.number]
    assert "sk-secret" not in str(db.execute("SELECT * FROM configurations").fetchall())


def test_an_operators_command_makes_what_the_file_says_the_next_number(host: Host, db: Any) -> None:
    first = applied()
    host("[limits]\nattempts = 9")
    assert [str(one) for one in pending(first)] == ["limits.attempts: 9 here, 5 there"]
    assert proposed().limits.attempts == 9
    assert numbers(db) == [first.number]
    second = applied()
    assert second.number > first.number
    assert second.config.limits.attempts == 9
    assert applied() == second
    assert len(numbers(db)) == 2


def test_a_host_without_a_file_takes_nothing_away_that_another_ones_file_said(
    host: Host, db: Any
) -> None:
    host('[tasks.extraction]\nmodel = "larger"', OLLAMA_HOST="http://gpu:11434")
    said = applied()
    host()
    assert applied() == said
    host("")
    assert applied().config.task(TaskType.EXTRACTION).model == "phi4-mini", "an empty one does"


def test_a_worker_that_is_told_otherwise_refuses_and_says_how_to_go_on(host: Host, db: Any) -> None:
    host("[limits]\nattempts = 7", OLLAMA_HOST="http://gpu:11434")
    first = applied()
    host('[tasks.extraction]\nmodel = "larger"\n[limits]\nattempts = 3')
    with pytest.raises(ConfigError) as caught:
        gone_by(LOCAL)
    said = str(caught.value)
    assert f"configuration {first.number}" in said
    assert "limits.attempts: 3 here, 7 there" in said
    assert "tasks.extraction.model: larger here, phi4-mini there" in said
    assert "`docmill config apply`" in said
    assert numbers(db) == [first.number], "a worker writes none"
    assert applied() == gone_by(LOCAL)


@pytest.mark.parametrize(
    ("environment", "concerned", "others", "said"),
    [
        ({"OLLAMA_HOST": "http://gpu:11434"}, LOCAL, FRONTIER, "OLLAMA_HOST is set here"),
        ({"FRONTIER_API_KEY": "sk-secret"}, FRONTIER, LOCAL, "stands in for it"),
        ({"FRONTIER_BASE_URL": "https://gw/v1"}, FRONTIER, LOCAL, "stands in for it"),
    ],
)
def test_an_environment_that_speaks_of_an_engine_that_nobody_uses_is_a_contradiction(
    host: Host, environment: dict[str, str], concerned: Any, others: Any, said: str
) -> None:
    applied()
    assert local_kind() == "embedded"
    host(**environment)
    with pytest.raises(ConfigError, match=said):
        gone_by(concerned)
    assert gone_by(others) == current()
    applied()
    assert gone_by(concerned) == current()


def test_an_installation_that_gets_an_ollama_is_told_of_it_by_a_command(host: Host) -> None:
    applied()
    host(OLLAMA_HOST="http://gpu:11434")
    found = applied().config
    assert (found.engines["local"].kind, found.engines["local"].url) == (
        "ollama",
        "http://gpu:11434",
    )
    assert found.task(TaskType.EXTRACTION).model == "phi4-mini"
    assert not found.engines["frontier"].stand_in


def test_what_stands_in_postgres_is_what_was_resolved_without_passwords(
    host: Host, db: Any
) -> None:
    host(
        '[engines.gpu2]\nzone = "local"\nkind = "openai"\nbase_url = "http://u:secret@gpu2/v1"',
        OLLAMA_HOST="http://u:secret@gpu:11434",
    )
    found = applied()
    assert found.config.engines["gpu2"].base_url == "http://gpu2/v1"
    assert "secret" not in str(db.execute("SELECT * FROM configurations").fetchall())
    assert gone_by(LOCAL) == found == applied(), "an account in an address is no difference"


def test_a_configuration_of_a_newer_docmill_is_refused_and_not_guessed_at(
    host: Host, db: Any
) -> None:
    found = applied()
    db.execute("""UPDATE configurations SET settings = settings || '{"flights": true}'""")
    with pytest.raises(ConfigError, match=f"configuration {found.number}: unknown key 'flights'"):
        current()
