"""Several hosts with an Ollama each: one that is in trouble is no trouble of the others."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Docmill
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until

MODEL, OTHER = "phi4-mini", "gemma3:4b"
NOWHERE = "127.0.0.1:9"
FILE = """
[tasks.extraction]
model = "phi4-mini"
[tasks.classification]
model = "gemma3:4b"
[tasks.summary]
engine = "local"
model = "phi4-mini"
[tasks.reasoning]
engine = "local"
model = "phi4-mini"
"""


@dataclass
class Hosts:
    """One installation on several hosts; each has its own address of an Ollama, and its stub."""

    docmill: Docmill
    stack: ExitStack

    def at(self, url: str) -> Docmill:
        """The commands as they run on the host that reaches its Ollama there."""
        environment = {**self.docmill.environment, "OLLAMA_HOST": url}
        return replace(self.docmill, environment=environment)

    def ollama(self, models: str, **knobs: str) -> StubProcess:
        """Another host's Ollama."""
        words = [word for key, value in knobs.items() for word in (f"--{key}", value)]
        return self.stack.enter_context(stub_process("ollama", "--models", models, *words))

    def work(self, url: str) -> None:
        """A local worker on that host."""
        self.stack.enter_context(self.at(url).worker("local"))


@pytest.fixture
def hosts(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Hosts]:
    (tmp_path / "docmill.toml").write_text(FILE)
    places = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with ExitStack() as stack:
        yield Hosts(Docmill(tmp_path, places), stack)


def submit(docmill: Docmill, number: int, *words: str) -> int:
    desk = f"for the {words[-1]} desk"
    lines = "".join(f'{{"text": "Letter {n} of Asha {desk}."}}\n' for n in range(number))
    return int(docmill.json("submit", "-", *words, stdin=lines)["batch"])


@pytest.fixture
def three(hosts: Hosts) -> tuple[Docmill, StubProcess, StubProcess]:
    """Workers at an Ollama that has the model, at one that lacks it, and at none. The commands of
    the first host, and the two."""
    well, lacks = hosts.ollama(MODEL, latency="1"), hosts.ollama(OTHER)
    docmill = hosts.at(well.url)
    hosts.stack.enter_context(docmill.worker("ingest"))
    for url in (lacks.url, NOWHERE, well.url):
        hosts.work(url)
    return docmill, well, lacks


def test_what_two_hosts_cannot_do_the_third_does_and_nothing_is_held(
    three: tuple[Docmill, StubProcess, StubProcess],
) -> None:
    docmill, well, lacks = three
    batch = submit(docmill, 40, "--ask", "Sum up.", "--task", "summary")
    assert docmill.until_over(batch)["jobs"] == {"done": 40}
    assert well.stats()["answered"] == well.stats()["requests"] == 40
    assert lacks.stats()["requests"] == 0


def test_status_and_doctor_name_both_hosts_and_what_mends_them(
    three: tuple[Docmill, StubProcess, StubProcess],
) -> None:
    docmill, _, lacks = three
    lacking = lacks.url.removeprefix("http://")
    pull = f"the ollama at {lacking} does not serve {MODEL}: run `ollama pull {MODEL}` there"
    batch = submit(docmill, 40, "--ask", "Sum up.", "--task", "summary")

    def told() -> dict[str, Any] | None:
        status = docmill.json("status", str(batch))
        return status if len(status["troubles"]) == 2 else None

    status = wait_until(told, what="both are told")
    assert "held" not in status["jobs"]
    found = {row["host"]: row for row in status["troubles"]}
    assert found[lacking]["message"] == pull
    assert found[NOWHERE]["code"] == "unavailable"
    assert found[NOWHERE]["mend"] == f"check that it runs at {NOWHERE}; it goes on by itself"
    said = docmill.run("doctor", code=1)
    assert pull in said
    assert NOWHERE in said
    lacks.set(models=[OTHER, MODEL])
    assert docmill.until_over(batch)["jobs"] == {"done": 40}
