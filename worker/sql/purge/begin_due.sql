-- Batches whose retention has ended.
UPDATE batches SET state = 'purged'
WHERE purge_at <= now() AND state IN ('finished', 'cancelled')
  AND NOT EXISTS (SELECT FROM bulks WHERE batch_id = batches.id AND bulks.state <> 'closed')
RETURNING id
