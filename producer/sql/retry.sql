-- Failed jobs and documents get all their attempts again.
WITH again AS (
    UPDATE jobs
    SET state = CASE WHEN task IS NULL OR queue IS NULL THEN 'pending' ELSE 'ready' END,
        attempts = 0, waits = 0, kills = 0, not_before = NULL, reason = NULL, finished_at = NULL
    WHERE batch_id = :batch AND state = 'failed'
      AND (cast(:reason AS text) IS NULL OR error->>'category' = :reason)
    RETURNING id, document_id
), forgotten AS (
    -- answers that were not good enough must not be taken for answers that were not used yet
    UPDATE calls c SET request_key = NULL FROM again a WHERE c.job_id = a.id
), reread AS (
    UPDATE documents
    SET state = 'pending', attempts = 0, kills = 0, not_before = NULL, finished_at = NULL
    WHERE batch_id = :batch AND state = 'failed'
      AND (cast(:reason AS text) IS NULL OR error->>'category' = :reason)
    RETURNING id
), locked AS (
    SELECT id FROM documents WHERE id IN (SELECT document_id FROM again) ORDER BY id FOR UPDATE
), counted AS (
    UPDATE documents d
    SET jobs_finished = d.jobs_finished - a.jobs, state = 'ready', finished_at = NULL
    FROM (SELECT document_id, count(*) AS jobs FROM again GROUP BY document_id) a
    JOIN locked l ON l.id = a.document_id
    WHERE d.id = a.document_id
), reopened AS (
    UPDATE batches SET state = 'running', finished_at = NULL
    WHERE id = :batch AND state = 'finished'
      AND (EXISTS (SELECT FROM again) OR EXISTS (SELECT FROM reread))
)
SELECT (SELECT count(*) FROM again) AS jobs, (SELECT count(*) FROM reread) AS documents
