-- Which of these jobs still wait to be run in this queue.
SELECT j.id FROM jobs j JOIN batches b ON b.id = j.batch_id AND b.state = 'running'
WHERE j.id = ANY(%(ids)s) AND j.state = 'ready' AND j.queue = %(queue)s
  AND (j.not_before IS NULL OR j.not_before <= now())
