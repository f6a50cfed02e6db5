-- A document whose reader's whole worker went away: the second time it is quarantined.
UPDATE documents
SET state = CASE WHEN kills + 1 >= 2 THEN 'failed' ELSE 'pending' END,
    kills = kills + 1, owner = NULL, lease_until = NULL,
    error = jsonb_build_object('category', 'worker_lost', 'phase', 'ingest', 'retryable', true,
        'message', format('the worker that read this document went away (%%s times)', kills + 1)),
    finished_at = CASE WHEN kills + 1 >= 2 THEN now() END
WHERE state = 'running' AND lease_until < now()
RETURNING id
