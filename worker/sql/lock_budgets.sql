-- Claims against one budget take turns: the claim that follows in this transaction then sees every
-- reservation that was made before it.
SELECT b.id FROM batches b
WHERE b.max_cost_usd IS NOT NULL
  AND b.id IN (SELECT batch_id FROM jobs WHERE id = ANY(%(ids)s))
ORDER BY b.id FOR NO KEY UPDATE
