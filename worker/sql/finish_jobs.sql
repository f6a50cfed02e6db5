-- End this worker's hold on jobs: results, states and document counters in one statement.
-- A job that this worker does not hold any more is left alone, and so are its rows here.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (
        job_id bigint, state text, attempts_back smallint, waits smallint, delay_s double precision,
        queue text, model text, escalated_from text, escalation_reason text,
        reason text, error jsonb, value jsonb, grounded boolean, spans jsonb, call_id uuid)
), moved AS (
    UPDATE jobs j
    SET state = g.state,
        owner = NULL,
        lease_until = NULL,
        attempts = j.attempts - g.attempts_back,
        waits = j.waits + g.waits,
        not_before = now() + g.delay_s * interval '1 second',
        queue = coalesce(g.queue, j.queue),
        model = coalesce(g.model, j.model),
        escalated_from = coalesce(g.escalated_from, j.escalated_from),
        escalation_reason = coalesce(g.escalation_reason, j.escalation_reason),
        reason = g.reason,
        error = g.error,
        finished_at = CASE WHEN g.state IN ('done', 'failed') THEN now() END
    FROM given g
    WHERE j.id = ANY (ARRAY(SELECT job_id FROM given)) AND j.id = g.job_id
        AND j.state = 'running' AND j.owner = %(owner)s
    RETURNING j.id, j.document_id, j.state
), answered AS (
    INSERT INTO answers (job_id, value, grounded, spans, call_id)
    SELECT g.job_id, g.value, g.grounded, g.spans, g.call_id
    FROM given g JOIN moved m ON m.id = g.job_id
    WHERE g.state = 'done'
    ON CONFLICT (job_id) DO NOTHING
), finished AS (
    SELECT document_id, count(*) AS jobs
    FROM moved WHERE state IN ('done', 'failed') GROUP BY document_id
), locked AS (
    -- in the order of ids: two workers never wait for each other
    SELECT d.id FROM documents d
    WHERE d.id = ANY (ARRAY(SELECT document_id FROM finished)) ORDER BY d.id FOR UPDATE
), counted AS (
    UPDATE documents d
    SET jobs_finished = d.jobs_finished + f.jobs,
        state = CASE WHEN d.state = 'ready' AND d.jobs_finished + f.jobs >= d.jobs_total
                     THEN 'done' ELSE d.state END,
        finished_at = CASE WHEN d.jobs_finished + f.jobs >= d.jobs_total THEN now() END
    FROM finished f JOIN locked l ON l.id = f.document_id
    WHERE d.id = ANY (ARRAY(SELECT id FROM locked)) AND d.id = f.document_id
)
SELECT id FROM moved
