"""The real commands as real processes, against servers and stubs of the test's choice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
OVER = ("finished", "cancelled")


@dataclass
class Docmill:
    """Runs `docmill` in a folder with an environment of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def in_the_building(
        cls, folder: Path, database_url: str, redis_url: str, ollama_url: str
    ) -> "Docmill":
        """With a local engine, and a frontier where nobody answers."""
        return cls(
            folder,
            {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "OLLAMA_HOST": ollama_url,
                "FRONTIER_BASE_URL": "http://127.0.0.1:9/v1",
                "FRONTIER_API_KEY": "sk-none",
            },
        )

    def run(self, *words: str, stdin: str = "", code: int = 0) -> str:
        """Run a command to its end; what it printed. Fails unless it exits with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "producer", *words],
            cwd=self.folder,
            env=self._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + (done.stderr if code else "")

    def json(self, *words: str, **more: Any) -> Any:
        """What a command prints with --json."""
        return json.loads(self.run(*words, "--json", **more))

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """The lines of `results --format jsonl`."""
        printed = self.run("results", *words, "--format", "jsonl")
        return [json.loads(line) for line in printed.splitlines()]

    def until_over(self, batch: int, timeout: float = 90) -> dict[str, Any]:
        """The status of a batch once it is over."""

        def over() -> dict[str, Any] | None:
            status = self.json("status", str(batch))
            return status if status["state"] in OVER and status["finished_at"] else None

        return wait_until(over, timeout=timeout, what=f"batch {batch} is over")

    def start(self, *words: str, module: str = "producer") -> "Running":
        """Start a command that goes on, or another module that does."""
        log = self.folder / f"{'-'.join(words)}-{len(list(self.folder.glob('*.log')))}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, log)

    @contextmanager
    def worker(self, pool: str, *more: str) -> Iterator["Running"]:
        """A worker pool that is up, and is ended afterwards."""
        running = self.start("worker", pool, *more)
        try:
            running.until_says("worker started")
            yield running
        finally:
            running.end()

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "DOCMILL_HOME": str(self.folder / ".docmill"),
            "COLUMNS": "200",
            **self.environment,
        }


@dataclass
class Running:
    """A command that goes on, and its log."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def said(self) -> str:
        """Everything that it printed so far."""
        return self.log.read_text("utf-8", "replace")

    def until_says(self, words: str, timeout: float = 60) -> None:
        """Wait until it has printed these words."""

        def condition() -> bool:
            assert self.process.poll() is None or words in self.said(), (
                f"ended with {self.process.returncode}:\n{self.said()}"
            )
            return words in self.said()

        wait_until(condition, timeout=timeout, what=f"{self.log.name} says {words!r}")

    def end(self, number: signal.Signals = signal.SIGTERM, timeout: float = 60) -> int:
        """Send a signal and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9, as crashes come."""
        self.process.kill()
        self.process.wait()
