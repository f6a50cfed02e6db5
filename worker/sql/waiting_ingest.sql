-- Which of these documents still wait to be read.
SELECT d.id FROM documents d JOIN batches b ON b.id = d.batch_id AND b.state = 'running'
WHERE d.id = ANY(%(ids)s) AND d.state = 'pending' AND (d.not_before IS NULL OR d.not_before <= now())
