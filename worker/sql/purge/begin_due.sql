-- Batches whose retention has ended.
UPDATE batches SET state = 'purged'
WHERE purge_at <= now() AND state IN ('finished', 'cancelled')
RETURNING id
