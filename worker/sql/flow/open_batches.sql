-- The next few batches that are not over, in turn.
SELECT id FROM batches WHERE finished_at IS NULL AND id > %(after)s ORDER BY id LIMIT 4
