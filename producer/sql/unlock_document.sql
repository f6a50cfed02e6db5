-- A document that a password opened is read again, without its lock. Its batch is open again with it.
WITH reread AS (
    UPDATE documents SET state = 'pending', kills = 0, not_before = NULL, finished_at = NULL
    WHERE id = %(document)s AND state = 'needs_password'
    RETURNING id, batch_id
), opened AS (
    UPDATE batches SET state = 'running', finished_at = NULL, purge_at = NULL
    WHERE id IN (SELECT batch_id FROM reread) AND state IN ('running', 'finished')
), stored AS (
    UPDATE document_contents SET data = %(data)s WHERE document_id IN (SELECT id FROM reread)
)
SELECT count(*) AS documents FROM reread
