-- Claims against one budget take turns: what follows in this transaction then sees every reservation
-- that was made before it. By the jobs of a claim, or by these jobs.
SELECT b.id FROM batches b
WHERE b.max_cost_usd IS NOT NULL
  AND b.id = ANY (ARRAY(
      SELECT j.batch_id FROM jobs j WHERE j.id = ANY (ARRAY(
          SELECT item_id FROM leases WHERE claim = %(claim)s) || %(ids)s::bigint[])))
ORDER BY b.id FOR NO KEY UPDATE
