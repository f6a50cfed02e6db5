-- Frontier jobs that the claim before this passed over for their batch's budget. While other calls
-- of the batch are under way, what they do not use comes back: wait for it. Else hold.
WITH spent AS (
    SELECT b.id, b.max_cost_usd,
           coalesce(sum(coalesce(c.cost_usd, c.reserved_usd)), 0) AS usd,
           count(*) FILTER (WHERE c.state = 'reserved') AS under_way
    FROM batches b
    LEFT JOIN calls c ON c.batch_id = b.id AND c.tier = 'frontier'
    WHERE b.max_cost_usd IS NOT NULL AND b.state = 'running'
      AND b.id IN (SELECT batch_id FROM jobs WHERE id = ANY(%(ids)s))
    GROUP BY b.id
)
UPDATE jobs j
SET state = CASE WHEN s.under_way > 0 THEN 'ready' ELSE 'held' END,
    not_before = CASE WHEN s.under_way > 0 THEN now() + interval '0.3 second' END,
    error = CASE WHEN s.under_way > 0 THEN j.error ELSE jsonb_build_object(
        'category', 'budget', 'phase', 'run', 'retryable', true,
        'message', 'the budget does not cover this job') END,
    reason = CASE WHEN s.under_way = 0 THEN
        CASE WHEN p.model IS NULL
             THEN format('no price is known for %%s, so the budget cannot be kept; add one to '
                         '[prices] in docmill.toml, then `docmill resume %%s`', j.model, s.id)
             ELSE format('the budget of $%%s does not cover this job ($%%s spent); '
                         '`docmill resume %%s --max-cost USD` continues',
                         trim_scale(s.max_cost_usd), trim_scale(s.usd), s.id) END END
FROM spent s, jobs i
LEFT JOIN jsonb_to_recordset(%(prices)s) AS p (model text, task text)
    ON p.model = i.model AND p.task = i.task
WHERE j.id = i.id AND j.id = ANY(%(ids)s) AND j.batch_id = s.id
  AND j.queue = 'frontier' AND j.state = 'ready'
