-- What tasks take at present: the jobs that were asked in the last 30 days, or since the first batch
-- where that is less, and what they cost. Evals are left out: they are no work; what was deleted too, for
-- it may have been one. Of purged jobs only their calls are left: the first call of each stands for it.
SELECT c.task,
       count(DISTINCT c.job_id)
           + count(*) FILTER (WHERE c.job_id IS NULL AND c.purpose = 'run' AND c.attempt = 1) AS jobs,
       CASE WHEN bool_or(c.cost_usd IS NULL) THEN NULL ELSE sum(c.cost_usd) END AS cost_usd,
       least(30, greatest(1, extract(epoch FROM now() - least(
           min(min(c.started_at)) OVER (), (SELECT created_at FROM batches ORDER BY id LIMIT 1)
       )) / 86400))::double precision AS days
FROM calls c
WHERE c.id >= docmill_first_id(now() - interval '30 days')
  AND c.state = 'settled' AND c.purpose <> 'classify' AND c.task IS NOT NULL
  AND c.batch_id IS NOT NULL AND NOT EXISTS (SELECT FROM evals e WHERE e.batch_id = c.batch_id)
GROUP BY c.task
