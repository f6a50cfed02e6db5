"""Real evals: engines of known accuracy, and a worker that is killed in the middle."""

import json
import signal
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.commands import Docmill
from tests.rows import Connection, value
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until

SMALL, LARGE = "local/gemma3:1b", "gpu2/gemma3:12b"
BIG = "frontier/anthropic/claude-sonnet-4-6"
ACCURACY = {SMALL: 0.7, LARGE: 0.98, BIG: 1.0}
ROWS = 150

_CONFIG = """
[engines.local]
model = "gemma3:1b"
slots = 4
usd_per_hour = "1.00"
[engines.gpu2]
zone = "local"
kind = "openai"
base_url = "{}/v1"
model = "gemma3:12b"
slots = 4
usd_per_hour = "2.00"
"""


def mark(number: int) -> str:
    """What tells a text from all others."""
    return f"Bill {number:04}."


def text(number: int) -> str:
    return f"{mark(number)} Paid in cash: 1.99. Total: {total(number)}"


def total(number: int) -> str:
    return f"{number + 10}.50"


def answers(accuracy: float, seed: str) -> dict[str, Any]:
    """What an engine says of each bill: so many are right, drawn by the seed."""
    wrong = set(Random(seed).sample(range(ROWS), round((1 - accuracy) * ROWS)))
    return {mark(n): {"total": "1.99" if n in wrong else total(n)} for n in range(ROWS)}


class Place:
    """Three engines that know the bills, and a folder to type commands in."""

    def __init__(self, docmill: Docmill, engines: dict[str, StubProcess]) -> None:
        self.docmill = docmill
        self.engines = engines

    def gold(self) -> None:
        rows = [{"text": text(n), "fields": {"total": total(n)}} for n in range(ROWS)]
        path = self.docmill.folder / "bills.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        words = ("--ask", "Which total?", "--licence", "own", "--source", "a test")
        self.docmill.run("gold", "import", "bills", str(path), *words)

    def submitted(self, number: int) -> int:
        """A batch of the first so many bills, answered by the small engine."""
        rows = [json.dumps({"text": text(n)}) for n in range(number)]
        words = ("--ask", "Which total?", "--fields", "total", "--task", "extraction")
        batch: int = self.docmill.json("submit", "-", *words, stdin="\n".join(rows))["batch"]
        self.docmill.until_over(batch)
        return batch

    def answered(self) -> int:
        return sum(engine.stats()["answered"] for engine in self.engines.values())


@pytest.fixture
def place(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Place]:
    with ExitStack() as stack:
        engines = {
            SMALL: stack.enter_context(stub_process("ollama", "--models", "gemma3:1b")),
            LARGE: stack.enter_context(stub_process("openai", "--models", "gemma3:12b")),
            BIG: stack.enter_context(stub_process("openai", "--models", BIG.partition("/")[2])),
        }
        for name, engine in engines.items():
            engine.set(answers=answers(ACCURACY[name], name))
        engines[LARGE].set(timings=True)  # without them nobody knows how long its machine worked
        (tmp_path / "docmill.toml").write_text(_CONFIG.format(engines[LARGE].url))
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "OLLAMA_HOST": engines[SMALL].url,
            "FRONTIER_BASE_URL": f"{engines[BIG].url}/v1",
            "FRONTIER_API_KEY": "sk-x",
        }
        made = Place(Docmill(tmp_path, environment), engines)
        made.gold()
        yield made


def models(*names: str) -> list[str]:
    return [word for name in names for word in ("--model", name)]


def test_engines_of_known_accuracy_are_measured_and_the_smallest_that_is_enough_is_chosen(
    place: Place,
) -> None:
    docmill = place.docmill
    words = ("eval", "--gold", "bills", "--split", "train", *models(SMALL, LARGE, BIG))
    with docmill.worker("all"):
        found = {row["model"]: row for row in docmill.json(*words)}
        asked = place.answered()
        written = docmill.folder / "tasks.toml"
        again = docmill.run(*words, "--quality", "0.9", "--write", str(written))
        assert place.answered() == asked  # what is known is not asked again
        batch = place.submitted(10)
        replayed = docmill.json("replay", str(batch), "--last", "10", *models(BIG))
    n = found[BIG]["n"]
    assert {row["n"] for row in found.values()} == {n}
    assert ROWS / 2 < n < ROWS
    for name, row in found.items():
        assert row["low"] <= ACCURACY[name] <= row["high"], row
        assert row["cost_usd"] is not None, row
        assert row["tokens_per_s"] > 0
    assert found[BIG]["accuracy"] == 1.0
    assert found[SMALL]["against_best"]["p"] < 0.05
    assert tomllib.loads(written.read_text())["tasks"]["extraction"] == {
        "engine": "gpu2", "model": "gemma3:12b",
    }  # fmt: skip
    assert f"{LARGE} is good enough" in again
    assert "a year" in again or "nothing to save yet" in again
    then, now = sorted(replayed, key=lambda row: row["model"])
    assert (then["model"], now["model"]) == ("answered then", BIG)
    assert (then["right"], then["n"], now["n"]) == (10, 10, 10)
    wrong = [n for n in range(10) if answers(ACCURACY[SMALL], SMALL)[mark(n)]["total"] == "1.99"]
    assert now["right"] == 10 - len(wrong) < 10  # it agrees with what was right


def settled(db: Connection) -> int:
    return int(value(db, "SELECT count(*) FROM calls WHERE state = 'settled'"))


def test_a_worker_that_is_killed_in_the_middle_costs_no_second_call(
    place: Place, db: Connection
) -> None:
    docmill = place.docmill
    local = [place.engines[SMALL], place.engines[LARGE]]
    for engine in local:
        engine.set(latency=[0.3, 0.5])
    words = ("eval", "--gold", "bills", "--split", "train", *models(SMALL, LARGE))
    with docmill.worker("ingest"), ThreadPoolExecutor(1) as typing:
        first = docmill.start("worker", "local")
        waiting = typing.submit(docmill.json, *words)
        wait_until(lambda: place.answered() >= 12, timeout=60, what="some of it is answered")
        # from now on what is asked is not answered before the end
        held = [engine.set(latency=60) for engine in local]
        wait_until(lambda: _only_held(local, held), timeout=30, what="all slots wait for an answer")
        # what was answered and not yet written down is lost with its worker, as it must be
        wait_until(lambda: settled(db) == place.answered(), timeout=30, what="all is settled")
        first.end(signal.SIGKILL)
        answered = place.answered()
        wait_until(
            lambda: not any(engine.stats()["in_flight"] for engine in local),
            timeout=30,
            what="the engines have noticed",
        )
        cut_off = [engine.stats()["cancelled"] for engine in local]
        for engine in local:
            engine.set(latency=0.01)
        with docmill.worker("local"):
            found = {row["model"]: row for row in waiting.result(120)}
    n = found[SMALL]["n"]
    assert 0 < answered < 2 * n
    for name, engine, cut in zip((SMALL, LARGE), local, cut_off, strict=True):
        stats = engine.stats()
        assert (found[name]["n"], stats["answered"]) == (n, n)  # each was answered once
        assert stats["requests"] == n + cut  # and asked again where nothing had come back


def _only_held(engines: list[StubProcess], held: list[dict[str, int]]) -> bool:
    """Whether what was under way when the engines were held is answered, and all slots are busy."""
    stats = [engine.stats() for engine in engines]
    return all(
        now["in_flight"] == 4 and now["answered"] == then["answered"] + then["in_flight"]
        for now, then in zip(stats, held, strict=True)
    )
