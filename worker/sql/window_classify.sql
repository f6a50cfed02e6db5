-- The next jobs to classify, per batch.
SELECT b.id AS batch_id, b.priority, j.id, '' AS model
FROM batches b
CROSS JOIN LATERAL (
    SELECT id FROM jobs
    WHERE batch_id = b.id AND state = 'pending' AND (not_before IS NULL OR not_before <= now())
    ORDER BY id LIMIT %(depth)s
) j
WHERE b.state = 'running'
