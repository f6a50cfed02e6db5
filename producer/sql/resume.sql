-- A paused batch goes on; held jobs get their next chance, with a new budget if one is given.
WITH unheld AS (
    UPDATE jobs j
    SET state = CASE WHEN task IS NULL OR queue IS NULL THEN 'pending' ELSE 'ready' END,
        reason = NULL, not_before = NULL
    FROM batches b
    WHERE j.state = 'held' AND j.batch_id = :batch AND b.id = j.batch_id
      AND b.state <> 'cancelled'
    RETURNING j.id
)
UPDATE batches
SET state = 'running', finished_at = NULL,
    max_cost_usd = coalesce(cast(:max_cost AS numeric), max_cost_usd)
WHERE id = :batch AND state <> 'cancelled' AND (state = 'paused' OR EXISTS (SELECT FROM unheld)
    OR (state = 'running' AND cast(:max_cost AS numeric) IS NOT NULL))
RETURNING id, (SELECT count(*) FROM unheld) AS jobs
