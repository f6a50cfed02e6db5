"""Where chaos takes place: a home with embedded servers, stub engines, and workers that come back.

Every worker that ends is started again, as systemd or Compose would. A stopped one wakes up once
its leases are gone.
"""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis

from models.words import Zone
from tests.commands import Docmill, Running
from tests.embedded_users import (
    POSTGRES,
    VALKEY,
    User,
    temporary_home,
    wait_until_stopped,
)
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until
from worker.settings import LEASE_S

LOCAL_MODEL = "phi4-mini"
FRONTIER_MODEL = "anthropic/claude-sonnet-4-6"
ASLEEP_S = LEASE_S + 2.0
MAX_IN_FLIGHT = 16
LATENCY = "0.1:0.3"

_CONFIG = f"""
[classifier]
sure = 1.0
doubt = 0.0
[engines.local]
kind = "ollama"
slots = 8
[engines.frontier]
kind = "openai"
max_in_flight = {MAX_IN_FLIGHT}
context_tokens = 2048
"""

LETTERS, BOOKS = "*letter*", "*book*"

_ASKS = [
    {
        "ask": "Which names and numbers?",
        "fields": ["name", "number"],
        "task": "extraction",
        "documents": [LETTERS],
    },
    {"ask": "Sum it up.", "task": "summary", "documents": [LETTERS]},
    {"ask": "Say something about it.", "name": "open", "task": "auto", "documents": [LETTERS]},
    {"ask": "Sum up all of it.", "task": "summary", "scope": "document", "documents": [BOOKS]},
]

JOBS_OF_A_LETTER = 3
BOOK_EVERY = 10
"""Every tenth document is a book: one job, asked in parts, for it is longer than the window."""

_BOOK_LINES = 200


def jobs_of(documents: int) -> int:
    """The jobs of the first so many documents."""
    books = -(-documents // BOOK_EVERY)
    return (documents - books) * JOBS_OF_A_LETTER + books


def _line(number: int) -> str:
    """A document as a line of JSON."""
    if number % BOOK_EVERY:
        text = f"Letter {number} of Asha: {number} rupees."
        return json.dumps({"id": f"letter-{number}", "text": text})
    lines = (f"Book {number}, line {line}: Asha pays {line} rupees." for line in range(_BOOK_LINES))
    return json.dumps({"id": f"book-{number}", "text": "\n\n".join(lines)})


@dataclass
class Worker:
    """A pool's process, and what was done to it."""

    pool: str
    running: Running
    asleep_since: float | None = None

    @property
    def awake(self) -> bool:
        return self.asleep_since is None and self.running.process.poll() is None


@dataclass
class Scene:
    """Everything that a fault can reach."""

    docmill: Docmill
    home: Path
    postgres_url: str
    redis_url: str
    local: StubProcess
    frontier: StubProcess
    workers: list[Worker] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    waves: list[int] = field(default_factory=list)
    """Documents in each wave that is still to be submitted."""
    struck: Counter[str] = field(default_factory=Counter)
    exposed: int = 0
    """Calls in flight when a worker, its lease or its engine went away."""
    begun: int = 0
    """The same, where a worker had reserved more calls than had come to its engine by then."""
    unexpected_ends: list[str] = field(default_factory=list)
    _documents: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))
    _connection: "psycopg.Connection[tuple[Any, ...]] | None" = None

    # -- work

    def submit_wave(self) -> None:
        """Submit the next wave of documents, if one is left."""
        if not self.waves:
            return
        numbers = [next(self._documents) for _ in range(self.waves.pop(0))]
        self.ask("SELECT 1")  # a person, too, waits until Postgres is back
        spec = self.docmill.folder / "spec.yaml"
        spec.write_text(json.dumps({"asks": _ASKS}))
        lines = "\n".join(map(_line, numbers))
        submitted = self.docmill.json("submit", "-", "--spec", str(spec), stdin=lines)
        self.batches.append(submitted["batch"])

    def ask(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """Rows; waits while Postgres is away."""

        def found() -> tuple[list[tuple[Any, ...]]] | None:
            try:
                if self._connection is None:
                    self._connection = psycopg.connect(
                        self.postgres_url, autocommit=True, connect_timeout=5
                    )
                cursor = self._connection.execute(sql, params)
                return (cursor.fetchall() if cursor.description else [],)
            except psycopg.OperationalError:
                if self._connection is not None:
                    self._connection.close()
                self._connection = None
                return None

        answer = wait_until(found, timeout=60, every=0.05, what="Postgres is back")
        assert answer is not None
        return answer[0]

    def number(self, sql: str, *params: Any) -> Any:
        """The one value of a query."""
        return self.ask(sql, *params)[0][0]

    def finished(self) -> int:
        """Jobs that are done or failed."""
        return int(
            self.number(
                "SELECT count(*) FROM jobs WHERE parent_id IS NULL AND state IN ('done', 'failed')"
            )
        )

    def redis(self) -> "redis.Redis":
        """A client of the run's Redis."""
        return redis.Redis.from_url(self.redis_url, socket_timeout=5)

    # -- workers

    def start(self, pool: str) -> None:
        """Start a worker; it is up when it is up."""
        self.workers.append(Worker(pool, self.docmill.start("worker", pool)))

    def tend(self) -> None:
        """Start again what has ended, wake what has slept for longer than its lease."""
        for worker in self.workers:
            slept = worker.asleep_since
            if slept is not None and time.monotonic() - slept > ASLEEP_S:
                self.wake(worker)
            code = worker.running.process.poll()
            if code is not None:
                if code not in (0, -signal.SIGKILL, -signal.SIGTERM):  # the last: not up yet
                    self.unexpected_ends.append(worker.running.said()[-2000:])
                worker.running = self.docmill.start("worker", worker.pool)

    def wake(self, worker: Worker) -> None:
        """SIGCONT."""
        worker.running.process.send_signal(signal.SIGCONT)
        worker.asleep_since = None

    def victim(self, pool: str | None, draw: random.Random) -> Worker:
        """A worker that is awake, of this pool if one is named."""
        found = [w for w in self.workers if w.awake and pool in (None, w.pool)]
        return draw.choice(found or [w for w in self.workers if w.awake])

    @contextmanager
    def exposing(self, *stubs: StubProcess) -> Iterator[None]:
        """Count the calls that are under way at these engines while something is done to them."""
        before = [(stub.stats(), self._reserved(stub)) for stub in stubs]
        yield
        for stub, (was, reserved) in zip(stubs, before, strict=True):
            in_flight = was["in_flight"] + stub.stats()["requests"] - was["requests"]
            self.exposed += in_flight
            self.begun += max(in_flight, reserved)

    def _reserved(self, stub: StubProcess) -> int:
        """The most calls that one worker has begun in the ledger at an engine, whether or not they
        have come there; 0 where Postgres is away, for then none begins."""
        zone = Zone.LOCAL if stub is self.local else Zone.FRONTIER
        sql = (
            "SELECT count(*) AS n FROM calls WHERE state = 'reserved' AND zone = %s "
            "GROUP BY owner ORDER BY n DESC LIMIT 1"
        )
        try:
            with psycopg.connect(self.postgres_url, connect_timeout=1) as once:
                found = once.execute(sql, (zone,)).fetchone()
        except psycopg.OperationalError:
            return 0
        return found[0] if found else 0

    def end(self) -> None:
        """Wake everybody, then SIGTERM, and wait until all are gone."""
        for worker in self.workers:
            if worker.asleep_since is not None:
                self.wake(worker)
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.running.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            assert worker.running.process.wait(60) == 0, worker.running.said()[-3000:]


def _until_stopped(home: Path) -> None:
    for name in ("postgres", "valkey"):
        wait_until_stopped(home, name)


@contextmanager
def scene(*stub_words: str, latency: str = LATENCY, settings: str = "") -> Iterator[Scene]:
    """Servers, stubs and no workers yet; everything is gone afterwards. `settings`: more of the
    frontier engine's table."""
    with ExitStack() as stack:
        home = stack.enter_context(temporary_home())
        stack.callback(_until_stopped, home)
        local = stack.enter_context(
            stub_process("ollama", "--models", LOCAL_MODEL, "--latency", latency)
        )
        frontier = stack.enter_context(
            stub_process("openai", "--models", FRONTIER_MODEL, "--latency", latency, *stub_words)
        )
        user = stack.enter_context(User(home, POSTGRES, VALKEY))
        postgres_url, redis_url = user.urls()
        (home.parent / "docmill.toml").write_text(_CONFIG + settings)
        environment = {
            "OLLAMA_HOST": local.url,
            "FRONTIER_BASE_URL": f"{frontier.url}/v1",
            "FRONTIER_API_KEY": "sk-chaos",
        }
        docmill = Docmill(home.parent, environment)
        made = Scene(docmill, home, postgres_url, redis_url, local, frontier)
        try:
            yield made
        finally:
            for worker in made.workers:
                with suppress(ProcessLookupError):
                    os.killpg(worker.running.process.pid, signal.SIGKILL)
                worker.running.process.wait()
            if made._connection is not None:
                made._connection.close()
