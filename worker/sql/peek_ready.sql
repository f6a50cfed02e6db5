-- What the rate limit has to know of hinted jobs before they are claimed. Takes no lock.
SELECT j.id, j.ask_id, j.task, j.model, j.tokens
FROM jobs j
JOIN batches b ON b.id = j.batch_id AND b.state = 'running'
WHERE j.id = ANY(%(ids)s) AND j.state = 'ready' AND j.queue = %(queue)s
  AND (j.not_before IS NULL OR j.not_before <= now())
