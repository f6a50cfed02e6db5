-- Failed documents of a batch are read again. The batch is open again with them, and locked: nobody
-- closes it meanwhile.
WITH reread AS (
    UPDATE documents
    SET state = 'pending', kills = 0, not_before = NULL, finished_at = NULL
    WHERE batch_id = %(batch)s AND state = 'failed'
      AND (cast(%(reason)s AS text) IS NULL OR error->>'category' = %(reason)s)
    RETURNING id
), opened AS (
    UPDATE batches SET state = 'running', finished_at = NULL, purge_at = NULL
    WHERE id = %(batch)s AND state IN ('running', 'finished') AND EXISTS (SELECT FROM reread)
)
SELECT count(*) AS documents FROM reread
