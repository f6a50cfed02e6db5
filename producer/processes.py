"""Docmill's own processes. Workers are started by module name: this package never imports them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO

import typer

from models.database import make_ready, safe_url
from models.errors import DocmillError
from models.queue import redis_url
from models.words import Pool

Process = subprocess.Popen[bytes]

STOP_S = 45.0
"""How long workers may take to finish what is running; longer than their own grace time."""


def worker_command(pool: str, *more: str) -> list[str]:
    """The command line of a worker pool."""
    return [sys.executable, "-m", "worker", "serve", str(pool), *more]


def become_worker(
    pool: str, slots: int | None, engines: Sequence[str] = (), models: Sequence[str] = ()
) -> None:
    """Turn this process into a worker: signals then reach it without anything in between."""
    sys.stdout.flush()
    words = [] if slots is None else ["--slots", str(slots)]
    words += [word for engine in engines for word in ("--engine", engine)]
    words += [word for model in models for word in ("--model", model)]
    command = worker_command(pool, *words)
    os.execv(command[0], command)  # noqa: S606  # our own interpreter with our own words


def run_worker_module(*words: str, lines: Iterable[str] = ()) -> int:
    """Run one of the worker's own commands to its end, with these lines as its input."""
    command = [sys.executable, "-m", "worker", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended early and has said why
            process.stdin.writelines(f"{line}\n" for line in lines)
            process.stdin.close()
        return process.wait()


def piped_through_worker(*words: str, lines: Iterable[str]) -> list[str]:
    """The lines that one of the worker's own commands makes of these. Raises DocmillError with the
    worker's own words."""
    command = [sys.executable, "-m", "worker", *words]
    given = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DocmillError(done.stderr.strip().removeprefix("docmill: "))
    return done.stdout.splitlines()


def site() -> dict[str, str | None]:
    """Which engines this host would use, as the worker finds them (worker/deployment.py).

    Raises DocmillError with the worker's own words.
    """
    command = [sys.executable, "-m", "worker", "reach"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DocmillError(done.stderr.strip().removeprefix("docmill: "))
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


@contextmanager
def pools(*chosen: Pool, log: IO[bytes] | None = None) -> Iterator[list[Process]]:
    """Worker processes for as long as the context lasts; they end in good order, also when this
    process is told to end or its terminal is closed."""
    with ending_on_signals():
        running = [
            subprocess.Popen(worker_command(pool), start_new_session=True, stdout=log, stderr=log)
            for pool in chosen
        ]
        try:
            yield running
        finally:
            stop(running)


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process as Ctrl-C does: what it started is stopped first."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop(processes: Sequence[Process]) -> None:
    """Ask every process to end and wait; a second signal, or too long a wait, kills them."""
    for process in processes:
        process.terminate()
    try:
        for process in processes:
            process.wait(STOP_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt, SystemExit):
        for process in processes:
            process.kill()


def ended(processes: Sequence[Process]) -> Process | None:
    """A process that is not running any more, if there is one."""
    return next((process for process in processes if process.poll() is not None), None)


def up(host: str, port: int) -> int:
    """Run everything until a signal, or until one of the processes dies. 0 or 1."""
    make_ready()
    redis_url()
    found = site()
    chosen = [Pool.INGEST, Pool.LOCAL]
    if found["problem"] is None:
        chosen.append(Pool.FRONTIER)
    else:
        typer.echo(f"without the frontier pool: {found['problem']}", err=True)
    web = [sys.executable, "-m", "producer", "web", "--host", host, "--port", str(port)]
    with pools(*chosen) as running:
        page = subprocess.Popen(web, start_new_session=True)
        try:
            typer.echo("docmill is up; Ctrl-C stops everything")
            typer.echo(f"database: {safe_url()}")
            return _until_ended([*running, page])
        finally:
            stop([page])


def _until_ended(processes: Sequence[Process]) -> int:
    try:
        while (gone := ended(processes)) is None:
            time.sleep(0.5)
    except (KeyboardInterrupt, SystemExit):
        return 0
    typer.echo(f"a process ended by itself: {gone.args!r}", err=True)
    return 1
