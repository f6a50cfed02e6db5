UPDATE batches SET state = 'paused' WHERE id = %(batch)s AND state = 'running' RETURNING id
