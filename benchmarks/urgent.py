"""(e) How soon an urgent job starts behind a backlog."""

import time
from collections.abc import Iterator

from benchmarks.rig import Measured, bench, connect, count, texts, until


def run(backlog: int) -> Iterator[Measured]:
    """Seconds from the urgent submit's return until its first call is under way."""
    with bench(slots="16", latency="0.2") as (docmill, _stub):
        ask = ("--ask", "Find the vendor.", "--task", "extraction")
        docmill.run("submit", "-", *ask, stdin=texts(200))
        with connect(docmill) as database:
            with docmill.worker("ingest"):
                until(lambda: count(database, "SELECT count(*) FROM jobs") == 200)
            _multiply(database, backlog)
            with docmill.worker("ingest"), docmill.worker("local", "--slots", "16"):
                until(lambda: count(database, "SELECT count(*) FROM answers") > 50)
                line = '{"text": "an urgent letter"}\n'
                batch = docmill.json("submit", "-", *ask, "--priority", "9", stdin=line)["batch"]
                started = time.perf_counter()
                calls = "SELECT count(*) FROM calls WHERE batch_id = %s"
                until(lambda: count(database, calls, batch) > 0)
                waited = time.perf_counter() - started
    yield Measured(f"e: urgent job behind {backlog:,} starts after", waited, 1.0, True, "s")


def _multiply(database: "object", backlog: int) -> None:
    """More asks of the same chunks, until there are enough ready jobs."""
    database.execute(  # type: ignore[attr-defined]
        "WITH more AS (INSERT INTO asks (batch_id, ordinal, label, text, task, scope, documents)"
        " SELECT batch_id, n, n::text, text || ' (' || n || ')', task, scope, documents"
        " FROM asks, generate_series(2, %s) n RETURNING id, batch_id)"
        " INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, task,"
        " zone, engine, model, tokens) SELECT j.batch_id, j.local_only, j.document_id, j.chunk_id,"
        " m.id, 'ready', j.task, j.zone, j.engine, j.model, j.tokens"
        " FROM jobs j JOIN more m USING (batch_id)",
        (backlog // 200,),
    )
    database.execute("UPDATE documents SET jobs_total = jobs_total + %s", (backlog // 200,))  # type: ignore[attr-defined]
