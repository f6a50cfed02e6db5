-- Reserved calls that no lease stands for any more: of the classify step, and what a worker that
-- went away neither made nor gave back. Whether they were made cannot be known, but for those that
-- only stand for an answer that was there.
WITH orphans AS (
    SELECT c.id, c.reused_from
    FROM calls c
    JOIN jobs j ON j.id = c.job_id
    LEFT JOIN classifications k ON k.key = j.classify_key
    WHERE c.state = 'reserved' AND c.started_at < now() - %(lease_s)s * interval '1 second'
      AND CASE WHEN c.purpose = 'classify'
               THEN k.key IS NULL OR k.owner IS DISTINCT FROM c.owner OR k.lease_until < now()
               ELSE j.state <> 'running' OR j.owner <> c.owner END
), not_made AS (
    DELETE FROM calls c USING orphans o WHERE c.id = o.id AND o.reused_from IS NOT NULL
)
UPDATE calls c
SET state = 'lost', finished_at = now(), cost_usd = c.reserved_usd,
    cost_reason = CASE WHEN c.reserved_usd IS NULL
        THEN 'the answer never arrived and the price is not known'
        ELSE 'upper bound: the answer never arrived' END
FROM orphans o WHERE c.id = o.id AND c.state = 'reserved' AND o.reused_from IS NULL
