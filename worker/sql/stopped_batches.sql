SELECT id FROM batches WHERE id = ANY(%(ids)s) AND state <> 'running'
