-- Nothing more is begun; what runs ends and is kept. The feeder sweeps what comes back later.
WITH stopped AS (
    UPDATE batches SET state = 'cancelled', finished_at = NULL
    WHERE id = :batch AND state IN ('running', 'paused') RETURNING id
), swept AS (
    UPDATE jobs j SET state = 'cancelled', finished_at = now()
    FROM stopped s WHERE j.batch_id = s.id AND j.state IN ('pending', 'ready', 'held')
    RETURNING j.document_id
), unread AS (
    UPDATE documents d SET state = 'cancelled', finished_at = now()
    FROM stopped s WHERE d.batch_id = s.id AND d.state = 'pending'
    RETURNING d.id
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
)
SELECT id, (SELECT count(*) FROM swept) AS jobs, (SELECT count(*) FROM unread) AS documents
FROM stopped
