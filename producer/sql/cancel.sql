-- Nothing more is begun; what runs ends and is kept. The lines close at once, and the leader clears
-- what stands in them.
WITH open AS (
    SELECT (SELECT coalesce(sum(jobs), 0) FROM job_counts
            WHERE batch = %(batch)s AND state IN ('pending', 'ready', 'held')) AS jobs,
           (SELECT coalesce(sum(documents), 0) FROM document_counts
            WHERE batch = %(batch)s AND state = 'pending') AS documents
)
UPDATE batches SET state = 'cancelled', finished_at = NULL
WHERE id = %(batch)s AND state IN ('running', 'paused')
RETURNING id, (SELECT jobs FROM open)::bigint AS jobs, (SELECT documents FROM open)::bigint AS documents
