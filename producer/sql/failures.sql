-- What went wrong in a batch, grouped by reason.
SELECT kind, state, category, retryable, count(*) AS n, min(message) AS message, min(path) AS path
FROM (
    SELECT 'job' AS kind, j.state, coalesce(j.error->>'category', 'held') AS category,
           coalesce((j.error->>'retryable')::boolean, true) AS retryable,
           coalesce(j.reason, j.error->>'message') AS message, d.path
    FROM jobs j JOIN documents d ON d.id = j.document_id
    WHERE j.batch_id = :batch AND j.state IN ('failed', 'held')
    UNION ALL
    SELECT 'document', state, error->>'category', (error->>'retryable')::boolean,
           error->>'message', path
    FROM documents WHERE batch_id = :batch AND state = 'failed'
) f
GROUP BY kind, state, category, retryable
ORDER BY n DESC
