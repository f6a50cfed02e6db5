"""Docmill's own processes. Workers are started by module name: this package never imports them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

import typer

from models.database import ready_engine, safe_url
from models.queue import redis_url
from models.words import Pool

STOP_S = 45.0
"""How long workers may take to finish what is running; longer than their own grace time."""


def worker_command(pool: str, slots: int | None = None) -> list[str]:
    """The command line of a worker pool."""
    more = [] if slots is None else ["--slots", str(slots)]
    return [sys.executable, "-m", "worker", "serve", pool, *more]


def become_worker(pool: str, slots: int | None) -> None:
    """Turn this process into a worker: signals then reach it without anything in between."""
    sys.stdout.flush()
    command = worker_command(pool, slots)
    os.execv(command[0], command)  # noqa: S606  # our own interpreter with our own words


def run_worker_module(*words: str, lines: Iterable[str] = ()) -> int:
    """Run one of the worker's own commands to its end, with these lines as its input."""
    command = [sys.executable, "-m", "worker", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        try:
            process.stdin.writelines(f"{line}\n" for line in lines)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended early and has said why
        return process.wait()


@contextmanager
def pools(*chosen: Pool, quiet: bool = False) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Worker processes for as long as the context lasts; they end in good order."""
    stderr = subprocess.DEVNULL if quiet else None
    processes = [
        subprocess.Popen(worker_command(pool), start_new_session=True, stderr=stderr)
        for pool in chosen
    ]
    try:
        yield processes
    finally:
        stop(processes)


def stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ask every process to end, wait, and kill what does not."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


def up(host: str, port: int) -> int:
    """Run everything until a signal, or until one of the processes dies."""
    ready_engine().dispose()
    redis_url()
    web = [sys.executable, "-m", "producer", "web", "--host", host, "--port", str(port)]
    with ExitStack() as stack:
        running = stack.enter_context(pools(Pool.INGEST, Pool.LOCAL, Pool.FRONTIER))
        page = subprocess.Popen(web, start_new_session=True)
        stack.callback(stop, [page])
        typer.echo("docmill is up; Ctrl-C stops everything")
        typer.echo(f"database: {safe_url()}")
        return _until_signal([*running, page])


def _until_signal(processes: Sequence["subprocess.Popen[bytes]"]) -> int:
    """0 on SIGINT or SIGTERM; 1 when a process ended by itself."""
    told: list[int] = []

    def tell(number: int, _: FrameType | None) -> None:
        told.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, tell)
    while not told:
        if signal.sigtimedwait([], 0.5) is None and (
            ended := [process for process in processes if process.poll() not in (None, 0)]
        ):
            typer.echo(f"a process ended by itself: {ended[0].args!r}", err=True)
            return 1
    return 0
