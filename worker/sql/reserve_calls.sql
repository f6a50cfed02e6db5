-- Write further calls of a job that this worker holds (repair, the next part of a long document)
-- before they are made. Says of each whether it was written: not where the lease was lost, nor where
-- a budget does not cover it, and then which.
WITH given AS (
    SELECT r.id, r.purpose, r.reserved_usd, j.id AS job_id, j.batch_id, j.local_only, j.task,
           j.queue, j.model, j.attempts, b.max_cost_usd,
           sum(r.reserved_usd) OVER (PARTITION BY j.batch_id ORDER BY r.id) AS of_batch,
           sum(r.reserved_usd) OVER (ORDER BY r.id) AS of_day
    FROM jsonb_to_recordset(%(rows)s)
        AS r (id uuid, job_id bigint, purpose text, reserved_usd numeric)
    JOIN jobs j ON j.id = r.job_id AND j.state = 'running' AND j.owner = %(owner)s
    JOIN batches b ON b.id = j.batch_id
), spent AS (
    SELECT c.batch_id, sum(coalesce(c.cost_usd, c.reserved_usd)) AS usd
    FROM calls c
    WHERE c.tier = 'frontier' AND c.id NOT IN (SELECT id FROM given)
      AND c.batch_id IN (SELECT batch_id FROM given WHERE max_cost_usd IS NOT NULL)
    GROUP BY c.batch_id
), today AS (
    SELECT coalesce(sum(coalesce(cost_usd, reserved_usd)), 0) AS usd
    FROM calls
    WHERE %(usd_per_day)s::numeric IS NOT NULL AND tier = 'frontier'
      AND id NOT IN (SELECT id FROM given) AND started_at >= date_trunc('day', now(), 'UTC')
), judged AS (
    SELECT g.*, CASE
        WHEN g.queue = 'local' OR %(stand_in)s THEN NULL
        WHEN g.max_cost_usd IS NOT NULL
             AND (coalesce(s.usd, 0) + g.of_batch <= g.max_cost_usd) IS NOT TRUE THEN 'batch'
        WHEN %(usd_per_day)s::numeric IS NOT NULL
             AND (today.usd + g.of_day <= %(usd_per_day)s::numeric) IS NOT TRUE THEN 'day'
        END AS short_of
    FROM given g CROSS JOIN today LEFT JOIN spent s ON s.batch_id = g.batch_id
), written AS (
    INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, tier, engine, host, stand_in,
                       model_asked, owner, attempt, reserved_usd)
    SELECT g.id, g.job_id, g.batch_id, g.local_only, g.purpose, g.task, g.queue, %(engine)s, %(host)s,
           %(stand_in)s, g.model, %(owner)s, g.attempts, g.reserved_usd
    FROM judged g WHERE g.short_of IS NULL
    -- written already by a try whose connection broke before it could say so
    ON CONFLICT (id) DO UPDATE SET owner = excluded.owner
    RETURNING id
)
SELECT id, short_of, short_of IS NULL AS written FROM judged
