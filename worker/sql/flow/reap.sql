-- Leases that ran out: their worker died, froze or lost touch. What it was at goes back in line. That
-- is no fault of a job's or a document's, but one met at the end of too many workers is quarantined.
-- Its calls stay in the ledger as lost with their upper bound; whether they were made cannot be known,
-- but for those that only stand for an answer that was there, or were about to be put into a bulk.
WITH late AS (
    DELETE FROM leases WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM leases WHERE until < now() AND until >= %(since)s
        ORDER BY until LIMIT %(most)s FOR UPDATE SKIP LOCKED))
    RETURNING stage, item_id, line_id, owner
), jobs_back AS (
    UPDATE jobs j
    SET state = CASE WHEN j.kills + 1 >= %(job_kills)s THEN 'failed' ELSE j.state END,
        kills = j.kills + 1, not_before = NULL,
        error = jsonb_build_object('category', 'worker_lost', 'phase', 'run', 'retryable', true,
            'message', format('the worker that held this job went away (%%s times)', j.kills + 1)),
        finished_at = CASE WHEN j.kills + 1 >= %(job_kills)s THEN now() END
    FROM late l WHERE l.stage = 'run' AND j.id = l.item_id AND j.state = 'ready'
), documents_back AS (
    UPDATE documents d
    SET state = CASE WHEN d.kills + 1 >= %(document_kills)s THEN 'failed' ELSE 'pending' END,
        kills = d.kills + 1, not_before = NULL,
        error = jsonb_build_object('category', 'worker_lost', 'phase', 'ingest', 'retryable', true,
            'message', format('the worker that read this document went away (%%s times)',
                              d.kills + 1)),
        finished_at = CASE WHEN d.kills + 1 >= %(document_kills)s THEN now() END
    FROM late l WHERE l.stage = 'ingest' AND d.id = l.item_id AND d.state = 'pending'
), pairs_back AS (
    INSERT INTO waiting (line_id, item_id)
    SELECT line_id, item_id FROM late WHERE stage IN ('classify', 'bulk')
    ON CONFLICT DO NOTHING
), lost AS (
    UPDATE calls c
    SET state = 'lost', finished_at = now(), cost_usd = c.reserved_usd,
        cost_reason = CASE WHEN c.reserved_usd IS NULL THEN 'lost_unknown' ELSE 'lost' END
    FROM late l
    WHERE c.job_id = ANY (ARRAY(SELECT item_id FROM late)) AND c.state = 'reserved'
      AND l.stage IN ('classify', 'run') AND c.job_id = l.item_id AND c.owner = l.owner
      AND c.reused_from IS NULL
), not_made AS (
    DELETE FROM calls c USING late l
    WHERE c.job_id = ANY (ARRAY(SELECT item_id FROM late)) AND c.state = 'reserved'
      AND l.stage <> 'ingest' AND c.job_id = l.item_id AND c.owner = l.owner
      AND (c.reused_from IS NOT NULL OR l.stage = 'bulk')
)
SELECT now() AS at, count(*) AS all_of_them, count(*) FILTER (WHERE stage = 'run') AS jobs,
       count(*) FILTER (WHERE stage = 'ingest') AS documents,
       count(*) FILTER (WHERE stage = 'classify') AS pairs
FROM late
