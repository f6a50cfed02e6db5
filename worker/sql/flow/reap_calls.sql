-- Reserved calls that no lease stands for: what a worker that went away neither made nor gave back.
WITH orphans AS (
    SELECT c.id, c.reused_from
    FROM calls c
    WHERE c.state = 'reserved' AND c.id >= docmill_first_id(now() - interval '1 day')
      AND c.started_at < now() - %(lease_s)s * interval '1 second'
      AND NOT EXISTS (SELECT FROM leases l
                      WHERE l.item_id = coalesce(c.document_id, c.job_id) AND l.owner = c.owner
                      AND l.stage = ANY (CASE c.purpose WHEN 'classify' THEN ARRAY['classify']
                                                        WHEN 'page' THEN ARRAY['ingest']
                                                        ELSE ARRAY['run', 'bulk'] END))
    LIMIT 500
), not_made AS (
    DELETE FROM calls c USING orphans o
    WHERE c.id = ANY (ARRAY(SELECT id FROM orphans)) AND c.id = o.id AND o.reused_from IS NOT NULL
)
UPDATE calls c
SET state = 'lost', finished_at = now(), cost_usd = c.reserved_usd,
    cost_reason = CASE WHEN c.reserved_usd IS NULL THEN 'lost_unknown' ELSE 'lost' END
FROM orphans o
WHERE c.id = ANY (ARRAY(SELECT id FROM orphans)) AND c.id = o.id AND c.state = 'reserved'
  AND o.reused_from IS NULL
