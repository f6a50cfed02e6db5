-- Quarantine or hold the jobs of pairs that could not be classified.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS g (key uuid, state text, reason text, error jsonb)
), freed AS (
    UPDATE classifications c SET owner = NULL, lease_until = NULL, attempts = 0
    FROM given g
    WHERE c.key = ANY (ARRAY(SELECT key FROM given)) AND c.key = g.key AND c.task IS NULL AND c.owner = %(owner)s
    RETURNING c.key
), moved AS (
    UPDATE jobs j
    SET state = g.state, reason = g.reason, error = g.error, not_before = NULL,
        finished_at = CASE WHEN g.state = 'failed' THEN now() END
    FROM given g JOIN freed f USING (key)
    WHERE j.classify_key = ANY (ARRAY(SELECT key FROM freed)) AND j.classify_key = g.key AND j.state = 'pending'
    RETURNING j.document_id, j.state
), finished AS (
    SELECT document_id, count(*) AS jobs FROM moved WHERE state = 'failed' GROUP BY document_id
), locked AS (
    SELECT d.id FROM documents d
    WHERE d.id = ANY (ARRAY(SELECT document_id FROM finished)) ORDER BY d.id FOR UPDATE
)
UPDATE documents d
SET jobs_finished = d.jobs_finished + f.jobs,
    state = CASE WHEN d.state = 'ready' AND d.jobs_finished + f.jobs >= d.jobs_total
                 THEN 'done' ELSE d.state END,
    finished_at = CASE WHEN d.jobs_finished + f.jobs >= d.jobs_total THEN now() END
FROM finished f JOIN locked l ON l.id = f.document_id
WHERE d.id = ANY (ARRAY(SELECT id FROM locked)) AND d.id = f.document_id
