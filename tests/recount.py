"""What must hold between any two transactions: sums equal a recount, and every open job and unread
document stands in one place. Each rule is a query that finds what breaks it."""

from typing import Any

from tests.rows import Connection, rows

SHOWN = """
    SELECT j.*, b.state AS batch_state, CASE
        WHEN j.state NOT IN ('pending', 'ready') THEN j.state
        WHEN EXISTS (SELECT FROM leases WHERE stage = 'run' AND item_id = j.id) THEN 'running'
        WHEN EXISTS (SELECT FROM bulk_jobs WHERE job_id = j.id) THEN 'submitted'
        WHEN b.state = 'cancelled' THEN 'cancelled'
        WHEN EXISTS (SELECT FROM holds h WHERE NOT h.passing
                     AND coalesce(h.batch_id, j.batch_id) = j.batch_id
                     AND coalesce(h.zone, j.zone) = j.zone
                     AND coalesce(h.engine, j.engine) = j.engine
                     AND coalesce(h.model, j.model) = j.model) THEN 'held'
        WHEN j.open_parts > 0 THEN 'running'
        ELSE j.state END AS shown,
        CASE WHEN j.engine IS NULL THEN ''
             WHEN j.state = 'pending' THEN 'classify:' || j.engine || '/' || j.model
             WHEN j.bulk THEN 'bulk:' || j.engine || '/' || j.model
             ELSE j.engine || '/' || j.model END AS queue
    FROM jobs j JOIN batches b ON b.id = j.batch_id
"""


def _differ(found: str, recounted: str) -> str:
    """What only one of two queries finds."""
    return (
        f"SELECT x::text FROM ((({found}) EXCEPT ALL ({recounted})) "
        f"UNION ALL (({recounted}) EXCEPT ALL ({found}))) x"
    )


RULES = {
    "job_states": _differ("SELECT id, state FROM job_states", f"SELECT id, shown FROM ({SHOWN}) s"),
    "job_counts": _differ(
        "SELECT batch, state, queue, sum(jobs)::bigint FROM job_counts GROUP BY 1, 2, 3 "
        "HAVING sum(jobs) <> 0",
        f"SELECT batch_id, shown, queue, count(*) FROM ({SHOWN}) s WHERE parent_id IS NULL "
        "GROUP BY 1, 2, 3",
    ),
    "document_counts": _differ(
        "SELECT batch, state, sum(documents)::bigint FROM document_counts GROUP BY 1, 2 "
        "HAVING sum(documents) <> 0",
        "SELECT batch_id, CASE WHEN EXISTS (SELECT FROM leases WHERE stage = 'ingest' "
        "AND item_id = d.id) THEN 'running' WHEN d.missing IS NOT NULL "
        "AND d.state IN ('ready', 'done') THEN 'partly' WHEN d.state IN ('pending', 'ready') "
        "AND b.state = 'cancelled' THEN 'cancelled' ELSE d.state END, count(*) "
        "FROM documents d JOIN batches b ON b.id = d.batch_id GROUP BY 1, 2",
    ),
    "documents_status": _differ(
        "SELECT batch, state, count(*) FROM documents_status GROUP BY 1, 2",
        "SELECT batch, state, sum(documents)::bigint FROM document_counts GROUP BY 1, 2 "
        "HAVING sum(documents) <> 0",
    ),
    "documents": (
        "SELECT d.id::text FROM documents d CROSS JOIN LATERAL (SELECT count(*) AS jobs, count(*) "
        "FILTER (WHERE state IN ('done', 'failed', 'skipped')) AS finished FROM jobs "
        "WHERE document_id = d.id AND parent_id IS NULL) n "
        "WHERE d.state IN ('ready', 'done') AND (d.jobs_total, d.jobs_finished, d.state) "
        "IS DISTINCT FROM (n.jobs, n.finished, CASE WHEN n.finished >= n.jobs THEN 'done' "
        "ELSE 'ready' END)"
    ),
    "scanned pages": (
        "SELECT d.id::text FROM documents d WHERE state NOT IN ('pending', 'failed') "
        "AND EXISTS (SELECT FROM scanned_pages WHERE document_id = d.id)"
    ),
    "parts": (
        "SELECT p.id::text FROM jobs p WHERE p.open_parts <> (SELECT count(*) FROM jobs "
        "WHERE parent_id = p.id AND state IN ('pending', 'ready'))"
    ),
    "spend": _differ(
        "SELECT batch_id, day, zone, sum(usd), sum(known_usd), sum(under_way), sum(calls), "
        "sum(unknown), sum(lost) FROM spend GROUP BY 1, 2, 3 HAVING (sum(usd), sum(known_usd), "
        "sum(under_way), sum(calls), sum(unknown), sum(lost)) <> (0, 0, 0, 0, 0, 0)",
        "SELECT * FROM (SELECT batch_id, (started_at AT TIME ZONE 'UTC')::date, zone, "
        "sum(coalesce(cost_usd, reserved_usd, 0)), "
        "coalesce(sum(cost_usd) FILTER (WHERE state NOT IN ('reserved', 'submitted', 'reused')), "
        "0), "
        "count(*) FILTER (WHERE state IN ('reserved', 'submitted') AND reserved_usd > 0), "
        "count(*) FILTER (WHERE state NOT IN ('reserved', 'submitted', 'reused')), "
        "count(*) FILTER (WHERE state NOT IN ('reserved', 'submitted') AND cost_usd IS NULL), "
        "count(*) FILTER (WHERE state = 'lost') FROM calls GROUP BY 1, 2, 3) "
        "s (batch_id, day, zone, usd, known, under_way, calls, unknown, lost) "
        "WHERE (usd, known, under_way, calls, unknown, lost) <> (0, 0, 0, 0, 0, 0)",
    ),
    "failed_jobs": _differ(
        "SELECT job_id, batch_id, category FROM failed_jobs",
        "SELECT id, batch_id, coalesce(error->>'category', 'unknown') FROM jobs "
        "WHERE state = 'failed' AND parent_id IS NULL",
    ),
    "lines": _differ(
        "SELECT id, open, priority, deadline FROM lines",
        "SELECT l.id, b.state = 'running' AND NOT EXISTS (SELECT FROM holds h WHERE "
        "(h.batch_id IS NULL OR h.batch_id = l.batch_id) AND (h.zone IS NULL OR h.zone = l.zone) "
        "AND (h.engine IS NULL OR h.engine = l.engine) AND (h.model IS NULL OR h.model = l.model)),"
        " b.priority, b.deadline FROM lines l JOIN batches b ON b.id = l.batch_id",
    ),
    "answers": _differ("SELECT job_id FROM answers", "SELECT id FROM jobs WHERE state = 'done'"),
    "readings": (
        "SELECT job_id::text FROM readings JOIN jobs ON jobs.id = job_id "
        "WHERE state NOT IN ('ready', 'failed')"
    ),
    "reserved calls": (
        "SELECT c.id::text FROM calls c WHERE c.state = 'reserved' AND NOT EXISTS (SELECT FROM "
        "leases WHERE item_id = c.job_id AND owner = c.owner "
        "AND (stage = 'classify') = (c.purpose = 'classify') AND stage <> 'ingest')"
    ),
    "submitted calls": _differ(
        "SELECT id, job_id, owner FROM calls WHERE state = 'submitted'",
        "SELECT call_id, job_id, bulk_id FROM bulk_jobs",
    ),
    "bulks": (
        "SELECT b.id::text FROM bulks b WHERE b.open_jobs <> "
        "(SELECT count(*) FROM bulk_jobs WHERE bulk_id = b.id)"
    ),
    # What is open stands in its own line, or is leased, once; a cancelled batch's at most once.
    "places": _differ(
        "SELECT stage, item_id, line_id FROM (SELECT l.stage, w.item_id, w.line_id FROM waiting w "
        "JOIN lines l ON l.id = w.line_id UNION ALL SELECT l.stage, d.item_id, d.line_id "
        "FROM delayed d JOIN lines l ON l.id = d.line_id UNION ALL "
        "SELECT stage, item_id, line_id FROM leases) p",
        f"SELECT l.stage, s.id, l.id FROM ({SHOWN}) s JOIN lines l USING (batch_id, queue) "
        "WHERE s.state IN ('pending', 'ready') AND s.open_parts = 0 AND s.shown <> 'submitted' AND "
        "(batch_state <> 'cancelled' OR s.id IN (SELECT item_id FROM waiting WHERE line_id = l.id) "
        "OR s.id IN (SELECT item_id FROM delayed WHERE line_id = l.id) "
        "OR s.id IN (SELECT item_id FROM leases WHERE line_id = l.id)) UNION ALL "
        "SELECT 'ingest', d.id, l.id FROM documents d JOIN batches b ON b.id = d.batch_id "
        "JOIN lines l ON l.batch_id = b.id AND l.stage = 'ingest' "
        "WHERE d.state = 'pending' AND (b.state <> 'cancelled' "
        "OR d.id IN (SELECT item_id FROM waiting WHERE line_id = l.id) "
        "OR d.id IN (SELECT item_id FROM delayed WHERE line_id = l.id) "
        "OR d.id IN (SELECT item_id FROM leases WHERE line_id = l.id))",
    ),
    "open jobs without a line": (
        f"SELECT s.id::text FROM ({SHOWN}) s LEFT JOIN lines l USING (batch_id, queue) "
        "WHERE s.state IN ('pending', 'ready') AND batch_state <> 'cancelled' AND l.id IS NULL"
    ),
    "places without a line": (
        "SELECT item_id::text FROM (SELECT item_id, line_id FROM waiting UNION ALL "
        "SELECT item_id, line_id FROM delayed UNION ALL SELECT item_id, line_id FROM leases) p "
        "WHERE line_id NOT IN (SELECT id FROM lines)"
    ),
}

QUERY = " UNION ALL ".join(
    f"SELECT '{rule}', found FROM ({query}) AS broken (found)" for rule, query in RULES.items()
)


def offences(db: Connection) -> list[tuple[Any, ...]]:
    """Every rule that does not hold, with what breaks it."""
    return rows(db, QUERY)
