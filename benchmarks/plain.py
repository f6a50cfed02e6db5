"""The plain form of this stack, for comparison: one Celery task per call, the prefork pool, a
blocking httpx.Client, one commit per job. It does what Docmill's local pool does for a job, with
none of its promises.

    python -m benchmarks.plain HOME OLLAMA_URL JOBS        prints jobs per second
    python -m benchmarks.plain HOME OLLAMA_URL             is its worker
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251
import psycopg
from celery import Celery  # noqa: TID251

from benchmarks.bare import body, extract_request
from models.embedded import attach_postgres, attach_valkey
from models.queue import broker_url
from worker.llm.engine import Request

app = Celery("plain")
app.conf.update(task_ignore_result=True, task_default_queue="plain")
_state: dict[str, Any] = {}
"""Where its servers are, set before the pool forks; each child adds its connections."""


@app.task(name="plain.extract")  # type: ignore[untyped-decorator]
def extract(number: int) -> None:
    """One call, one commit."""
    answer = _post(extract_request(number))
    _commit("UPDATE plain SET state = 'done', answer = %s WHERE id = %s", answer, number)


def _post(request: Request) -> str:
    client = _state.setdefault("client", httpx.Client(timeout=60))
    reply = client.post(f"{_state['ollama']}/api/chat", json=body(request))
    return str(reply.json()["message"]["content"])


def _commit(statement: str, *params: Any) -> None:
    if "connection" not in _state:
        _state["connection"] = psycopg.connect(attach_postgres(_state["home"]))
    with _state["connection"].transaction():
        _state["connection"].execute(statement, params)


def serve() -> None:
    """The prefork worker."""
    app.worker_main(["--quiet", "worker", "-c", "8", "--loglevel=ERROR", "--queues=plain"])


def measure(home: str, ollama: str, jobs: int) -> None:
    """Start a prefork worker, send every job, wait for the last commit."""
    command = [sys.executable, "-m", "benchmarks.plain", home, ollama]
    url = attach_postgres(Path(home))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (id int PRIMARY KEY, state text, answer text)")
        connection.execute(
            "INSERT INTO plain SELECT n, 'pending' FROM generate_series(1, %s) n", (jobs,)
        )
        worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr)
        try:
            for number in range(1, jobs + 1):
                extract.delay(number)
            first = _until_done(connection, 1)
            last = _until_done(connection, jobs)
        finally:
            worker.terminate()
            worker.wait()
        connection.execute("DROP TABLE plain")
    print((jobs - 1) / (last - first))


def _until_done(connection: psycopg.Connection[Any], jobs: int) -> float:
    query = "SELECT count(*) FROM plain WHERE state = 'done'"
    while connection.execute(query).fetchone()[0] < jobs:  # type: ignore[index]
        time.sleep(0.01)
    return time.perf_counter()


if __name__ == "__main__":
    home, ollama, *jobs = sys.argv[1:]
    app.conf.broker_url = broker_url(attach_valkey(Path(home)))
    _state.update(home=Path(home), ollama=ollama)
    if jobs:
        measure(home, ollama, int(jobs[0]))
    else:
        serve()
