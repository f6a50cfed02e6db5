-- Jobs held until a certain moment (the next day's budget) go on when it has come, and with them
-- a batch that had nothing else to do.
WITH due AS (
    UPDATE jobs SET state = 'ready', reason = NULL, error = NULL, not_before = NULL
    WHERE state = 'held' AND not_before <= now() AND task IS NOT NULL
      AND error->>'category' = 'budget'
    RETURNING batch_id
)
UPDATE batches SET state = 'running', finished_at = NULL
WHERE state = 'finished' AND id IN (SELECT batch_id FROM due)
