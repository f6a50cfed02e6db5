-- What is left of a purged batch: its number and its counts.
WITH gone AS (
    DELETE FROM batches WHERE id = %(batch)s AND state = 'purged' AND purge_at IS NULL RETURNING id
)
DELETE FROM counts WHERE batch_id = ANY (ARRAY(SELECT id FROM gone))
