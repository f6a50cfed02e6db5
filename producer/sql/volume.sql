-- What tasks take at present: the jobs that were asked in the last 30 days, and what that cost. Evals
-- are left out: they are no work. Of purged jobs only their calls are left.
SELECT c.task, count(DISTINCT c.job_id) + count(*) FILTER (WHERE c.job_id IS NULL) AS jobs,
       CASE WHEN bool_or(c.cost_usd IS NULL) THEN NULL ELSE sum(c.cost_usd) END AS cost_usd,
       greatest(extract(epoch FROM now() - min(c.started_at)) / 86400, 1)::double precision AS days
FROM calls c
WHERE c.id >= docmill_first_id(now() - interval '30 days')
  AND c.state = 'settled' AND c.purpose <> 'classify' AND c.task IS NOT NULL
  AND NOT EXISTS (SELECT FROM evals e WHERE e.batch_id = c.batch_id)
GROUP BY c.task
