-- Lease pending documents to this worker, and hand out their bytes.
WITH wanted AS (
    SELECT d.id
    FROM documents d
    JOIN batches b ON b.id = d.batch_id AND b.state = 'running'
    WHERE d.id = ANY(%(ids)s) AND d.state = 'pending'
      AND (d.not_before IS NULL OR d.not_before <= now())
    FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE documents d
    SET state = 'running', owner = %(owner)s, attempts = d.attempts + 1,
        lease_until = now() + %(lease_s)s * interval '1 second'
    FROM wanted w WHERE d.id = w.id
    RETURNING d.id, d.batch_id, d.path, d.media_type, d.attempts, d.kills
), started AS (
    UPDATE batches b SET started_at = now()
    WHERE b.started_at IS NULL AND b.id IN (SELECT batch_id FROM claimed)
)
SELECT c.*, b.local_only, o.data
FROM claimed c
JOIN batches b ON b.id = c.batch_id
JOIN document_contents o ON o.document_id = c.id
