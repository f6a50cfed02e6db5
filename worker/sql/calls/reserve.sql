-- Write further calls of a job that this worker holds (repairs) before they are made. Says of each
-- whether it was written: not where the lease was lost, nor where a budget does not cover it, and
-- then which.
WITH asked AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s)
        AS r (id uuid, job_id bigint, purpose text, reserved_usd numeric)
), given AS (
    SELECT r.id, r.purpose, r.reserved_usd, j.id AS job_id, j.batch_id, j.local_only, j.task,
           j.zone, j.engine, j.model, j.attempts, b.max_cost_usd,
           sum(r.reserved_usd) OVER (PARTITION BY j.batch_id ORDER BY r.id) AS of_batch,
           sum(r.reserved_usd) OVER (ORDER BY r.id) AS of_day,
           known.id IS NOT NULL AS written
    FROM asked r
    JOIN leases s ON s.stage = 'run' AND s.item_id = ANY (ARRAY(SELECT job_id FROM asked))
        AND s.item_id = r.job_id AND s.owner = %(owner)s
    JOIN jobs j ON j.id = r.job_id
    JOIN batches b ON b.id = j.batch_id
    -- by a try whose connection broke before it could say so
    LEFT JOIN calls known ON known.id = r.id
), spent AS MATERIALIZED (
    SELECT batch_id, sum(usd) AS usd, sum(under_way) AS under_way FROM spend
    WHERE zone = 'frontier'
      AND batch_id = ANY (ARRAY(SELECT batch_id FROM given WHERE max_cost_usd IS NOT NULL))
    GROUP BY batch_id
), today AS MATERIALIZED (
    SELECT coalesce(sum(usd), 0) AS usd, coalesce(sum(under_way), 0) AS under_way FROM spend
    WHERE %(usd_per_day)s::numeric IS NOT NULL AND zone = 'frontier'
      AND day = (now() AT TIME ZONE 'UTC')::date
), judged AS (
    SELECT g.*, coalesce(s.usd, 0) AS batch_usd, coalesce(s.under_way, 0) AS batch_under_way,
           today.usd AS day_usd, today.under_way AS day_under_way, CASE
        WHEN g.written OR g.zone = 'local' OR %(stand_in)s THEN NULL
        WHEN g.max_cost_usd IS NOT NULL
             AND (coalesce(s.usd, 0) + g.of_batch <= g.max_cost_usd) IS NOT TRUE THEN 'batch'
        WHEN %(usd_per_day)s::numeric IS NOT NULL
             AND (today.usd + g.of_day <= %(usd_per_day)s::numeric) IS NOT TRUE THEN 'day'
        END AS short_of
    FROM given g CROSS JOIN today LEFT JOIN spent s ON s.batch_id = g.batch_id
), written AS (
    INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, zone, engine, kind, host,
                       stand_in, model_asked, owner, attempt, reserved_usd)
    SELECT g.id, g.job_id, g.batch_id, g.local_only, g.purpose, g.task, g.zone, g.engine, %(kind)s,
           %(host)s, %(stand_in)s, g.model, %(owner)s, g.attempts + 1,
           CASE WHEN g.zone <> 'local' AND NOT %(stand_in)s THEN g.reserved_usd END
    FROM judged g WHERE g.short_of IS NULL AND NOT g.written
    ON CONFLICT (id) DO NOTHING
)
SELECT id, short_of, short_of IS NULL AS written, batch_id,
       -- calls under way may give something back; the job's own first one, too
       CASE short_of WHEN 'batch' THEN batch_under_way ELSE day_under_way END > 0 AS under_way,
       CASE short_of WHEN 'batch' THEN batch_usd ELSE day_usd END AS spent_usd,
       CASE short_of WHEN 'batch' THEN max_cost_usd ELSE %(usd_per_day)s::numeric END AS budget_usd
FROM judged
