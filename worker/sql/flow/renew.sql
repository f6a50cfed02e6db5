-- Keep the leases of what this worker is at; whatever does not come back is lost to it.
UPDATE leases l SET until = now() + %(lease_s)s * interval '1 second'
FROM unnest(%(stages)s::text[], %(items)s::bigint[]) AS g (stage, item_id)
WHERE l.stage = ANY (%(stages)s) AND l.item_id = ANY (%(items)s)
  AND l.stage = g.stage AND l.item_id = g.item_id AND l.owner = %(owner)s
RETURNING l.stage, l.item_id
