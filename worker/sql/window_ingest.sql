-- The next documents to read, per batch.
SELECT b.id AS batch_id, b.priority, d.id, '' AS model
FROM batches b
CROSS JOIN LATERAL (
    SELECT id FROM documents
    WHERE batch_id = b.id AND state = 'pending' AND (not_before IS NULL OR not_before <= now())
    ORDER BY id LIMIT %(depth)s
) d
WHERE b.state = 'running'
