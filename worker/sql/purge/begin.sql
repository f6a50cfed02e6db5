-- A batch that is over, and at which no worker is any more, becomes a purged one.
UPDATE batches b
SET state = 'purged', purge_at = now(), finished_at = coalesce(b.finished_at, now()),
    keeps_costs = %(keep_costs)s AND (b.keeps_costs OR b.state <> 'purged')
WHERE b.id = %(batch)s AND b.state IN ('finished', 'cancelled', 'purged')
  AND NOT EXISTS (
      SELECT FROM lines l
      CROSS JOIN LATERAL (SELECT FROM leases WHERE line_id = l.id LIMIT 1) something
      WHERE l.batch_id = b.id)
  AND NOT EXISTS (SELECT FROM bulks WHERE batch_id = b.id AND state <> 'closed')
RETURNING b.id
