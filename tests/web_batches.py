"""Batches in every state for the tests of the page, and the page as a browser sees it."""

import re
import warnings
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from models.reasons import HoldCode
from models.spec import make_spec
from producer.sources import Accepted
from producer.submit import submit
from producer.web.app import make_app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks for another package than the one that we have
    from starlette.testclient import TestClient

Connection = psycopg.Connection[Any]

OWN = {"sec-fetch-site": "same-origin"}
EVIL = "<script>alert(1)</script>"
QUOTED = "\"'><img src=x onerror=alert(1)>"
TEXT = "Invoice of Acme Ltd. Total: 42.50 <b>EUR</b>, due at once."
ASKS = [
    {"ask": "Extract the total", "fields": ["total"], "task": "extraction"},
    {"ask": f"Summarise {EVIL}", "task": "summary"},
]


def open_page(host: str = "127.0.0.1") -> TestClient:
    """The page in a browser on this machine; a defect is a 500 page there, as it is in truth."""
    app = make_app(host)
    return TestClient(app, base_url="http://localhost:8400", raise_server_exceptions=False)


def make_batch(db: Connection, documents: list[str], **spec: Any) -> int:
    """A batch whose documents are read: one chunk each, a job per ask, all of them ready."""
    sources = [Accepted(path, "text/plain", b"-") for path in documents]
    batch = submit(make_spec({"asks": ASKS, **spec}, "test"), sources).batch
    assert batch is not None
    db.execute("DELETE FROM waiting")
    db.execute(
        "UPDATE documents SET state = 'ready', pages = 1, jobs_total = %s WHERE batch_id = %s",
        (len(ASKS), batch),
    )
    db.execute(
        "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, "
        "tokens, text, sha256) SELECT id, 1, 1, 1, 100, 100 + %s, 9, t, "
        "sha256(convert_to(t, 'UTF8')) FROM documents, cast(%s AS text) t "
        "WHERE batch_id = %s ORDER BY id",
        (len(TEXT), TEXT, batch),
    )
    db.execute(
        "INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, task, "
        "found_by, zone, engine, model, tokens) SELECT d.batch_id, b.local_only, d.id, k.id, a.id, "
        "'ready', a.task, 'user', 'local', 'local', 'phi4-mini', 9 "
        "FROM documents d JOIN batches b ON b.id = d.batch_id "
        "JOIN chunks k ON k.document_id = d.id JOIN asks a ON a.batch_id = b.id "
        "WHERE b.id = %s ORDER BY d.id, a.ordinal",
        (batch,),
    )
    return batch


def part_of(db: Connection, job: int, number: int) -> int:
    """A part of a job about a whole document, answered already."""
    row = db.execute(
        "INSERT INTO jobs (batch_id, local_only, document_id, ask_id, parent_id, level, first, "
        "last, state, task, found_by, zone, engine, model, tokens) SELECT batch_id, local_only, "
        "document_id, ask_id, id, 1, %s, %s, 'done', task, found_by, zone, engine, model, 9 "
        "FROM jobs WHERE id = %s RETURNING id",
        (number, number, job),
    ).fetchone()
    assert row is not None
    return int(row[0])


def shut(
    db: Connection, model: str = "", code: str = "auth", host: str = "gpu:11434", **gate: Any
) -> None:
    """A worker that does not ask the local engine, or a model of it, for this reason."""
    db.execute(
        "WITH w AS (INSERT INTO workers (owner, pool, host, pid, configuration_id) "
        "VALUES (gen_random_uuid(), 'local', %s, 1, 1) RETURNING owner), s AS ("
        "INSERT INTO servers (owner, engine, zone, kind, address, models, slots) "
        "SELECT owner, 'local', 'local', 'ollama', %s, ARRAY['phi4-mini', 'other'], 4 FROM w) "
        "INSERT INTO gates (owner, engine, model, code, message, lasting, since, until) "
        "SELECT owner, 'local', %s, %s, %s, %s, now(), %s FROM w",
        (
            gate.get("machine", "here"),
            host,
            model,
            code,
            gate.get("message", "401 key refused"),
            gate.get("lasting", True),
            gate.get("until"),
        ),
    )


def answer(db: Connection, batch: int, task: str, value: Any, **more: Any) -> list[int]:
    """Answers every job of a task, with a call each; the jobs' ids."""
    call = {"cost_usd": None, "cost_reason": "no_price", "stand_in": False, **more}
    where = "UPDATE jobs SET state = 'done' WHERE batch_id = %s AND task = %s RETURNING id"
    jobs = [row[0] for row in db.execute(where, (batch, task)).fetchall()]
    db.execute("DELETE FROM waiting WHERE item_id = ANY (%s)", (jobs,))
    for job in jobs:
        db.execute(
            "INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, zone, engine, "
            "kind, host, stand_in, model_asked, owner, attempt, state, cost_usd, cost_reason, "
            "answer) SELECT docmill_call_id(now()), id, batch_id, local_only, 'run', task, zone, "
            "engine, 'ollama', 'gpu:11434', %s, model, gen_random_uuid(), 1, 'settled', %s, %s, %s "
            "FROM jobs WHERE id = %s",
            (call["stand_in"], call["cost_usd"], call["cost_reason"], f"raw {EVIL}", job),
        )
        db.execute(
            "INSERT INTO answers (job_id, value, grounded, spans, fields, call_id) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            (
                job,
                Jsonb(value),
                call.get("grounded"),
                Jsonb(call.get("spans")),
                None if call.get("fields") is None else Jsonb(call["fields"]),
                uuid4(),
            ),
        )
    return jobs


def fail(db: Connection, batch: int, task: str, category: str) -> None:
    """Fails every job of a task."""
    error = {"category": category, "phase": "run", "retryable": True, "message": f"why {EVIL}"}
    db.execute(
        "UPDATE jobs SET state = 'failed', error = %s WHERE batch_id = %s AND task = %s",
        (Jsonb(error), batch, task),
    )


def hold(db: Connection, batch: int, code: HoldCode, **about: Any) -> None:
    """What waits of a batch is held for this reason."""
    db.execute(
        "INSERT INTO holds (batch_id, code, about) VALUES (%s, %s, %s)",
        (batch, code, Jsonb(about)),
    )


def see(client: TestClient, path: str, status: int = 200) -> str:
    """A page's HTML."""
    response = client.get(path)
    assert response.status_code == status, response.text
    return response.text


def press(client: TestClient, batch: int | str, action: str, **form: str) -> int:
    """Send a button's form; the status."""
    response = client.post(
        f"/batches/{batch}/actions/{action}", data=form, headers=OWN, follow_redirects=False
    )
    return response.status_code


def rows_of(page: str) -> list[str]:
    """The jobs that a results table shows."""
    return re.findall(r'href="/batches/\d+/jobs/(\d+)"', page)
