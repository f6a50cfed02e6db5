-- Classify calls of workers that went away.
UPDATE calls c
SET state = 'lost', finished_at = now(), cost_usd = c.reserved_usd,
    cost_reason = 'the answer never arrived and the price is not known'
FROM jobs j LEFT JOIN classifications k ON k.key = j.classify_key
WHERE c.state = 'reserved' AND c.purpose = 'classify' AND j.id = c.job_id
  AND (k.key IS NULL OR k.owner IS DISTINCT FROM c.owner OR k.lease_until < now())
  AND c.started_at < now() - %(lease_s)s * interval '1 second'
