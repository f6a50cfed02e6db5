-- The next documents of a batch that were not read are read again: all that failed, or those with one
-- reason, which may be a state of its own. The batch is open again with them, and locked: nobody
-- closes it meanwhile.
WITH again AS MATERIALIZED (
    SELECT id FROM documents
    WHERE batch_id = %(batch)s AND state IN ('failed', 'needs_ocr', 'needs_password')
      AND CASE WHEN state = 'failed'
               THEN cast(%(reason)s AS text) IS NULL OR error->>'category' = %(reason)s
               ELSE state = %(reason)s END
    ORDER BY id LIMIT %(most)s
), reread AS (
    UPDATE documents
    SET state = 'pending', kills = 0, not_before = NULL, finished_at = NULL
    WHERE id IN (SELECT id FROM again) AND state IN ('failed', 'needs_ocr', 'needs_password')
    RETURNING id
), opened AS (
    UPDATE batches SET state = 'running', finished_at = NULL, purge_at = NULL
    WHERE id = %(batch)s AND state IN ('running', 'finished') AND EXISTS (SELECT FROM reread)
)
SELECT count(*) AS documents FROM reread
