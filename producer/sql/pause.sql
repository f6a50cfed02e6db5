UPDATE batches SET state = 'paused' WHERE id = :batch AND state = 'running' RETURNING id
