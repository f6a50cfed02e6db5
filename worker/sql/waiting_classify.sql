-- Which of these jobs still wait to be classified.
SELECT j.id FROM jobs j JOIN batches b ON b.id = j.batch_id AND b.state = 'running'
WHERE j.id = ANY(%(ids)s) AND j.state = 'pending' AND (j.not_before IS NULL OR j.not_before <= now())
