-- The next jobs of a queue to run, per batch and model, by ask, so that engines keep their model
-- loaded and their prompt cache warm. The recursive part finds each batch's models by jumping
-- through the index instead of reading all of it.
WITH RECURSIVE models AS (
    SELECT b.id AS batch_id, b.priority, (
        SELECT min(model) FROM jobs
        WHERE batch_id = b.id AND queue = %(queue)s AND state = 'ready'
    ) AS model
    FROM batches b WHERE b.state = 'running'
    UNION ALL
    SELECT m.batch_id, m.priority, (
        SELECT min(model) FROM jobs
        WHERE batch_id = m.batch_id AND queue = %(queue)s AND state = 'ready' AND model > m.model
    )
    FROM models m WHERE m.model IS NOT NULL
)
SELECT m.batch_id, m.priority, j.id, m.model
FROM models m
CROSS JOIN LATERAL (
    SELECT id FROM jobs
    WHERE batch_id = m.batch_id AND queue = %(queue)s AND model = m.model AND state = 'ready'
      AND (not_before IS NULL OR not_before <= now())
    ORDER BY ask_id, id LIMIT %(depth)s
) j
WHERE m.model IS NOT NULL
