-- What holds one job (a refused key, a spent credit, a missing model) would hold every other job of
-- its batch on that queue and model: they are held with it, without a call each to find out.
UPDATE jobs j
SET state = 'held', reason = g.reason, error = g.error, not_before = NULL
FROM (
    SELECT DISTINCT ON (h.batch_id, h.queue, h.model)
        h.batch_id, h.queue, h.model, r.reason, r.error
    FROM jsonb_to_recordset(%(rows)s) AS r (job_id bigint, reason text, error jsonb)
    JOIN jobs h ON h.id = r.job_id
) g
WHERE j.batch_id = g.batch_id AND j.queue = g.queue AND j.model = g.model AND j.state = 'ready'
