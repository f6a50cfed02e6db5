-- What went wrong in a batch, grouped by reason.
SELECT 'job' AS kind, 'failed' AS state, f.category, f.n, j.error->>'message' AS message, d.path,
       (j.error->>'retryable')::boolean AS retryable
FROM (SELECT category, count(*) AS n, min(job_id) AS example FROM failed_jobs
      WHERE batch_id = %(batch)s GROUP BY category) f
JOIN jobs j ON j.id = f.example
JOIN documents d ON d.id = j.document_id
UNION ALL
SELECT 'document', 'failed', error->>'category', count(*), min(error->>'message'), min(path),
       (error->>'retryable')::boolean
FROM documents WHERE batch_id = %(batch)s AND state = 'failed'
GROUP BY error->>'category', (error->>'retryable')::boolean
