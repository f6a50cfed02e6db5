-- Note when batches start and end, and sweep what came back to a cancelled batch.
WITH swept AS (
    UPDATE jobs j SET state = 'cancelled', finished_at = now()
    FROM batches b
    WHERE b.state = 'cancelled' AND b.finished_at IS NULL AND j.batch_id = b.id
      AND j.state IN ('pending', 'ready', 'held')
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
