-- Note when batches start and end, and sweep what came back to a cancelled batch.
WITH swept AS (
    UPDATE jobs j SET state = 'cancelled', finished_at = now()
    FROM batches b
    WHERE b.state = 'cancelled' AND b.finished_at IS NULL AND j.batch_id = b.id
      AND j.state IN ('pending', 'ready', 'held')
    RETURNING j.document_id
), locked AS (
    SELECT id FROM documents WHERE id IN (SELECT document_id FROM swept) ORDER BY id FOR UPDATE
), counted AS (
    UPDATE documents d
    SET jobs_finished = d.jobs_finished + c.jobs,
        state = CASE WHEN d.state = 'ready' AND d.jobs_finished + c.jobs >= d.jobs_total
                     THEN 'cancelled' ELSE d.state END,
        finished_at = CASE WHEN d.jobs_finished + c.jobs >= d.jobs_total THEN now() END
    FROM (SELECT document_id, count(*) AS jobs FROM swept GROUP BY document_id) c
    JOIN locked l ON l.id = c.document_id
    WHERE d.id = c.document_id
), swept_documents AS (
    UPDATE documents d SET state = 'cancelled', finished_at = now()
    FROM batches b
    WHERE b.state = 'cancelled' AND b.finished_at IS NULL AND d.batch_id = b.id
      AND d.state = 'pending'
)
UPDATE batches b
SET state = CASE WHEN b.state = 'cancelled' THEN b.state ELSE 'finished' END,
    finished_at = now(), started_at = coalesce(b.started_at, now())
WHERE b.state IN ('running', 'cancelled') AND b.finished_at IS NULL
  AND NOT EXISTS (SELECT FROM documents WHERE batch_id = b.id AND state IN ('pending', 'running'))
  AND NOT EXISTS (SELECT FROM jobs WHERE batch_id = b.id AND state = 'pending')
  AND NOT EXISTS (SELECT FROM jobs WHERE batch_id = b.id AND state = 'ready')
  AND NOT EXISTS (SELECT FROM jobs WHERE batch_id = b.id AND state = 'running')
RETURNING b.id
