"""A database that has been at work for long: a hundred thousand jobs of one open batch, written
behind the triggers' back because a test has no hours."""

from tests.rows import Batch, Connection, add_batch

JOBS = 100_000

BUSY_TABLES = (
    *("documents", "document_contents", "chunks", "jobs", "failed_jobs", "answers", "calls"),
    *("waiting", "delayed", "leases", "counts", "spend", "classifications"),
)
"""Those that grow, or that much passes through."""


def never_vacuumed(db: Connection) -> None:
    """Nothing is vacuumed or analysed but when the test says so."""
    db.execute(
        "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = 'public'::regnamespace LOOP "
        "EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t); END LOOP; END $$"
    )


def add_crowd(db: Connection, jobs: int = JOBS) -> Batch:
    """A batch all of whose jobs wait for their first call, ten a document."""
    batch = add_batch(db)
    db.execute("SET session_replication_role = replica")
    for statement in _ADD:
        db.execute(statement, {"batch": batch.id, "ask": batch.ask, "jobs": jobs})
    db.execute("RESET session_replication_role")
    return batch


def end_crowd(db: Connection, batch: Batch) -> None:
    """Every one of them has been answered."""
    db.execute("SET session_replication_role = replica")
    for statement in _END:
        db.execute(statement, {"batch": batch.id})
    db.execute("RESET session_replication_role")


def add_others(db: Connection, jobs: int = 5_000) -> None:
    """What a hundred hosts are at meanwhile: as many jobs wait, wait for their moment, and are
    leased with a call under way; as many documents wait to be read."""
    batch = add_batch(db)
    db.execute("SET session_replication_role = replica")
    for statement in _OTHERS:
        db.execute(statement, {"batch": batch.id, "ask": batch.ask, "jobs": jobs})
    db.execute("RESET session_replication_role")


_OTHERS = (
    "INSERT INTO documents (batch_id, path, media_type, bytes, sha256) SELECT %(batch)s, 'd' || n, "
    "'text/plain', 1, '' FROM generate_series(1, %(jobs)s) n",
    "INSERT INTO document_contents SELECT id, 'text' FROM documents WHERE batch_id = %(batch)s",
    "INSERT INTO lines (batch_id, queue, stage, zone, engine, model, priority, open) VALUES "
    "(%(batch)s, 'ingest', 'ingest', NULL, NULL, NULL, 0, true), "
    "(%(batch)s, 'local/m', 'run', 'local', 'local', 'm', 0, true), "
    "(%(batch)s, 'classify:local/m', 'classify', 'local', 'local', 'm', 0, true)",
    "INSERT INTO jobs (batch_id, local_only, document_id, ask_id, state, task, found_by, zone, "
    "engine, model, tokens) SELECT %(batch)s, false, id, %(ask)s, 'ready', 'summary', 'user', "
    "'local', 'local', 'm', 1 FROM documents WHERE batch_id = %(batch)s",
    "INSERT INTO waiting (line_id, item_id) SELECT l.id, d.id FROM documents d "
    "JOIN lines l USING (batch_id) WHERE batch_id = %(batch)s",
    "INSERT INTO delayed SELECT line_id, item_id, now() + interval '1 hour' FROM waiting "
    "JOIN lines l ON l.id = line_id WHERE l.batch_id = %(batch)s",
    "INSERT INTO leases (stage, item_id, line_id, owner, claim, until) SELECT l.stage, j.id, l.id, "
    "gen_random_uuid(), gen_random_uuid(), now() + interval '1 hour' FROM jobs j "
    "JOIN lines l USING (batch_id) WHERE batch_id = %(batch)s",
    "INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, zone, engine, kind, host, "
    "stand_in, model_asked, owner, attempt, answer_key) SELECT docmill_call_id(), item_id, "
    "%(batch)s, false, CASE leases.stage WHEN 'run' THEN 'run' ELSE 'classify' END, 'summary', "
    "'local', 'local', 'ollama', 'h:1', false, 'm', owner, 1, gen_random_uuid() FROM leases "
    "JOIN lines l ON l.id = line_id WHERE l.batch_id = %(batch)s AND leases.stage <> 'ingest'",
)

_ADD = (
    "INSERT INTO documents (batch_id, path, media_type, bytes, sha256, state, jobs_total) "
    "SELECT %(batch)s, 'd' || n, 'text/plain', 1, '', 'ready', 10 "
    "FROM generate_series(1, %(jobs)s / 10) n",
    "INSERT INTO document_contents SELECT id, 'text' FROM documents WHERE batch_id = %(batch)s",
    "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, tokens, "
    "text, sha256) SELECT d.id, n, 1, 1, n, n + 1, 1, 'text', sha256((d.id || ' ' || n)::bytea) "
    "FROM documents d CROSS JOIN generate_series(1, 10) n WHERE batch_id = %(batch)s",
    "INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, task, found_by, "
    "zone, engine, model, tokens, classify_key) SELECT %(batch)s, false, d.id, k.id, %(ask)s, "
    "'ready', 'summary', 'model', 'local', 'local', 'm', 1, gen_random_uuid() "
    "FROM documents d JOIN chunks k ON k.document_id = d.id WHERE batch_id = %(batch)s",
    "INSERT INTO lines (batch_id, queue, stage, zone, engine, model, priority, open) "
    "VALUES (%(batch)s, 'local/m', 'run', 'local', 'local', 'm', 0, true)",
    "INSERT INTO waiting (line_id, item_id) SELECT l.id, j.id FROM jobs j "
    "JOIN lines l USING (batch_id) WHERE batch_id = %(batch)s",
    "INSERT INTO classifications (key, task, found_by) SELECT classify_key, task, 'model' "
    "FROM jobs WHERE batch_id = %(batch)s",
    # each of a thousand commits counted, and spent
    "INSERT INTO counts (batch_id, what, state, queue, n) SELECT %(batch)s, 'job', 'ready', "
    "'local/m', 100 FROM generate_series(1, %(jobs)s / 100)",
    "INSERT INTO spend (batch_id, day, zone, usd, known_usd, under_way, calls, unknown, lost) "
    "SELECT %(batch)s, current_date, 'local', 0, 0, 0, 100, 100, 0 "
    "FROM generate_series(1, %(jobs)s / 100)",
    "INSERT INTO leases (stage, item_id, line_id, owner, claim, until) SELECT 'run', j.id, l.id, "
    "gen_random_uuid(), gen_random_uuid(), now() + interval '1 hour' FROM jobs j "
    "JOIN lines l USING (batch_id) WHERE batch_id = %(batch)s AND j.id %% 100 = 0",
    "INSERT INTO delayed SELECT line_id, item_id, until FROM leases",
)

_END = (
    "UPDATE jobs SET state = 'done', finished_at = now() WHERE batch_id = %(batch)s",
    "INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, zone, engine, kind, host, "
    "stand_in, model_asked, owner, attempt, state, request_key, answer_key, answer) "
    "SELECT docmill_call_id(now() - random() * interval '1 day'), id, batch_id, local_only, 'run', "
    "task, zone, engine, 'ollama', 'h:1', false, model, gen_random_uuid(), 1, 'settled', "
    "gen_random_uuid(), gen_random_uuid(), '{}' FROM jobs WHERE batch_id = %(batch)s",
    "INSERT INTO answers (job_id, value, call_id) SELECT job_id, '{}', id FROM calls "
    "WHERE batch_id = %(batch)s",
    "UPDATE documents SET state = 'done', jobs_finished = 10 WHERE batch_id = %(batch)s",
    "DELETE FROM document_contents",
    "DELETE FROM waiting",
    "DELETE FROM leases",
    "DELETE FROM delayed",
    "DELETE FROM counts",
    "DELETE FROM spend",
    "INSERT INTO counts (batch_id, what, state, queue, n, folded) SELECT batch_id, 'job', state, "
    "'local/m', count(*), true FROM jobs GROUP BY 1, 3",
    "INSERT INTO spend (batch_id, day, zone, usd, known_usd, under_way, calls, unknown, lost, "
    "folded) SELECT batch_id, current_date, 'local', 0, 0, 0, count(*), count(*), 0, true "
    "FROM jobs GROUP BY 1",
)
