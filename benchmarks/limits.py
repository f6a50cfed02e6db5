"""(c) How much of a provider's limit real frontier workers use, and how often they step over it.

The provider is a strict one: it counts every request of the last `WINDOW_S` and answers 429 to any
that is over. Ten minutes are compressed to one: its minute has 6 s, and `window_s = 6` says so to
the workers. What is measured begins after a warm-up, in which the limit may still learn how the
provider counts: an output limit is part of what it refuses by, and may be given back or not. In
the end the workers are stopped as a person stops them, and the ledger is held against the bill.
"""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.rig import Measured, connect, count, until
from models.engines import DEFAULT_FRONTIER_MODEL, MINUTE_S
from tests.commands import Docmill
from tests.stubs.process import StubProcess, stub_process

WINDOW_S = 6
SECONDS = 60.0
WARM_UP_S = 3.0 + 4 * WINDOW_S
"""The limit's own start, and some windows to learn in."""

STARTING_S = 10.0
"""How long the first worker may be at work before the last one has started."""

LATENCY = "0.1:0.5"
IN_FLIGHT = 64
MAX_TOKENS = 128
WORDS = ("rent", "of", "the", "lease", "shall", "be", "paid", "monthly", "by", "tenant")


@dataclass(frozen=True)
class Case:
    """One way in which a provider limits; its limits are those of a window."""

    name: str
    rpm: int
    tpm: int
    longest: int
    """Words of the longest document."""
    corrects: bool = True
    """Whether it counts used tokens once a call is over, instead of prompt + max_tokens."""

    @property
    def knobs(self) -> dict[str, str]:
        """For the stub's command line."""
        return {
            "models": DEFAULT_FRONTIER_MODEL,
            "rpm": str(self.rpm),
            "tpm": str(self.tpm),
            "tpm-corrects": str(self.corrects).lower(),
            "window-s": str(WINDOW_S),
            "latency": LATENCY,
        }

    @property
    def toml(self) -> str:
        """What a user writes for this provider."""
        windows = MINUTE_S // WINDOW_S
        return (
            f"[engines.frontier]\nrpm = {self.rpm * windows}\ntpm = {self.tpm * windows}\n"
            f"window_s = {WINDOW_S}\nmax_in_flight = {IN_FLIGHT}\n"
            f"[tasks.summary]\nmax_tokens = {MAX_TOKENS}\n[chunks]\ntokens = 5000\n"
        )

    def documents(self, seconds: float) -> list[str]:
        """More than enough distinct texts for so long."""
        words = self.longest / 2 + 200  # with the fixed part of a prompt
        rate = min(self.rpm, self.tpm / words) / WINDOW_S
        draw = random.Random(self.name)
        return [
            f"{number} " + " ".join(draw.choices(WORDS, k=draw.randint(20, self.longest)))
            for number in range(int(rate * seconds * 1.2))
        ]

    def counted(self, stats: dict[str, Any]) -> dict[str, float]:
        """What the provider counted so far, per limit, as shares of a window's limit."""
        output = stats["billed_output"] if self.corrects else stats["answered"] * MAX_TOKENS
        return {
            "rpm": stats["answered"] / self.rpm,
            "tpm": (stats["billed_input"] + output) / self.tpm,
        }


CASES = [
    Case("rpm", rpm=500, tpm=2_000_000, longest=200),
    Case("tpm", rpm=5_000, tpm=200_000, longest=1_500),
    Case("tpm with max_tokens", rpm=5_000, tpm=200_000, longest=1_500, corrects=False),
]


def run(
    cases: list[Case],
    processes: tuple[int, ...] = (1, 3),
    seconds: float = SECONDS,
    warm_up_s: float = WARM_UP_S,
) -> Iterator[Measured]:
    """Every case with each number of worker processes."""
    for case in cases:
        for number in processes:
            yield from _measured(case, number, seconds, warm_up_s)


def _measured(case: Case, processes: int, seconds: float, warm_up_s: float) -> Iterator[Measured]:
    name = f"c: {case.name} limit, {processes} frontier workers"
    with _rig(case) as (docmill, stub), connect(docmill) as database:
        _prepare(docmill, case.documents(STARTING_S + warm_up_s + seconds))
        with ExitStack() as stack:
            for _ in range(processes):
                stack.enter_context(docmill.worker("frontier"))
            time.sleep(warm_up_s)
            before, started = stub.stats(), time.monotonic()
            time.sleep(seconds)
            after, elapsed = stub.stats(), time.monotonic() - started
            left = count(database, "SELECT count(*) FROM jobs WHERE state = 'ready'")
        differs = _ledger_tokens(database) - _billed_tokens(stub)
    assert left, "the workers ran out of work: the figures say nothing"
    was, now = case.counted(before), case.counted(after)
    used = max((now[limit] - was[limit]) * WINDOW_S / elapsed for limit in now)
    refused = after["over_limit"] - before["over_limit"]
    yield Measured(f"{name}: share used", used, 0.97)
    yield Measured(f"{name}: 429s while learning", before["over_limit"])
    yield Measured(f"{name}: 429s after it", refused, 0, at_most=True)
    yield Measured(f"{name}: ledger off the bill", abs(differs), 0, at_most=True, unit="tokens")


def _ledger_tokens(database: psycopg.Connection[Any]) -> int:
    return count(
        database,
        "SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM calls WHERE state = 'settled'",
    )


def _billed_tokens(stub: StubProcess) -> int:
    stats = stub.stats()
    return int(stats["billed_input"] + stats["billed_output"])


@contextmanager
def _rig(case: Case) -> Iterator[tuple[Docmill, StubProcess]]:
    flags = [word for knob, value in case.knobs.items() for word in (f"--{knob}", value)]
    with (
        tempfile.TemporaryDirectory(prefix="docmill-bench-") as folder,
        stub_process("openai", *flags) as stub,
    ):
        Path(folder).chmod(0o755)
        (Path(folder) / "docmill.toml").write_text(case.toml)
        environment = {
            "OLLAMA_HOST": "127.0.0.1:9",
            "FRONTIER_BASE_URL": f"{stub.url}/v1",
            "FRONTIER_API_KEY": "none",
        }
        yield Docmill(Path(folder), environment), stub


def _prepare(docmill: Docmill, documents: list[str]) -> None:
    """A batch whose documents are read and whose jobs are ready."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in documents)
    docmill.run("submit", "-", "--ask", "Sum up.", "--task", "summary", stdin=lines)
    with docmill.worker("ingest"), connect(docmill) as database:
        ready = "SELECT count(*) FROM jobs WHERE state = 'ready'"
        until(lambda: count(database, ready) == len(documents))
