-- Write what became of jobs that waited for their task type: routed, or failed. A job that this worker
-- does not hold any more is left alone.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS g (
        job_id bigint, state text, task text, found_by text, found_version text,
        confidence double precision, escalation_reason text, zone text, engine text, model text,
        bulk boolean, fixed_tokens integer, error jsonb)
), freed AS (
    DELETE FROM leases WHERE stage = 'classify' AND owner = %(owner)s
        AND item_id = ANY (ARRAY(SELECT job_id FROM given))
    RETURNING item_id
)
UPDATE jobs j
SET state = g.state, task = coalesce(g.task, j.task), found_by = coalesce(g.found_by, j.found_by),
    found_version = g.found_version, confidence = g.confidence,
    escalation_reason = g.escalation_reason, zone = coalesce(g.zone, j.zone), engine = coalesce(g.engine, j.engine),
    model = coalesce(g.model, j.model), bulk = coalesce(g.bulk, j.bulk),
    fixed_tokens = coalesce(g.fixed_tokens, j.fixed_tokens),
    error = g.error, not_before = NULL,
    finished_at = CASE WHEN g.state = 'failed' THEN now() END
FROM given g JOIN freed f ON f.item_id = g.job_id
WHERE j.id = ANY (ARRAY(SELECT item_id FROM freed)) AND j.id = g.job_id AND j.state = 'pending'
