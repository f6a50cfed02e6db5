-- Leases that ran out: their worker died, froze or lost touch. Jobs go back in line (that is no
-- fault of theirs, but a job met at the end of too many workers is quarantined), their calls stay
-- in the ledger as lost with their upper bound.
WITH late AS (
    SELECT id FROM jobs
    WHERE state = 'running' AND lease_until < now()
    ORDER BY id FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE jobs j
    SET state = CASE WHEN j.kills + 1 >= %(max_kills)s THEN 'failed' ELSE 'ready' END,
        owner = NULL, lease_until = NULL, kills = j.kills + 1,
        attempts = greatest(j.attempts - 1, 0),
        error = jsonb_build_object('category', 'worker_lost', 'phase', 'run', 'retryable', true,
            'message', format('the worker that held this job went away (%%s times)', j.kills + 1)),
        finished_at = CASE WHEN j.kills + 1 >= %(max_kills)s THEN now() END
    FROM late WHERE j.id = late.id
    RETURNING j.id, j.document_id, j.state
), lost AS (
    UPDATE calls c
    SET state = 'lost', finished_at = now(), cost_usd = c.reserved_usd,
        cost_reason = CASE WHEN c.reserved_usd IS NULL
            THEN 'the answer never arrived and the price is not known'
            ELSE 'upper bound: the answer never arrived' END
    FROM moved m WHERE c.job_id = m.id AND c.state = 'reserved' AND c.reused_from IS NULL
), not_made AS (
    DELETE FROM calls c USING moved m
    WHERE c.job_id = m.id AND c.state = 'reserved' AND c.reused_from IS NOT NULL
), finished AS (
    SELECT document_id, count(*) AS jobs FROM moved WHERE state = 'failed' GROUP BY document_id
), locked AS (
    SELECT d.id FROM documents d
    WHERE d.id IN (SELECT document_id FROM finished) ORDER BY d.id FOR UPDATE
), counted AS (
    UPDATE documents d
    SET jobs_finished = d.jobs_finished + f.jobs,
        state = CASE WHEN d.state = 'ready' AND d.jobs_finished + f.jobs >= d.jobs_total
                     THEN 'done' ELSE d.state END,
        finished_at = CASE WHEN d.jobs_finished + f.jobs >= d.jobs_total THEN now() END
    FROM finished f JOIN locked l ON l.id = f.document_id
    WHERE d.id = f.document_id
)
SELECT count(*) AS jobs FROM moved
