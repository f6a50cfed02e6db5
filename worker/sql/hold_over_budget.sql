-- Frontier jobs that the claim before this passed over for a budget, their batch's or the day's.
-- While other calls on it are under way, what they do not use comes back: wait for it. Else hold,
-- for a person or, where the day's budget is used up, until the next day.
WITH passed AS (
    SELECT j.id, j.batch_id, j.model, b.max_cost_usd,
           (j.tokens + f.tokens) * p.usd_per_token + p.usd_per_call AS usd,
           p.model IS NOT NULL AS priced
    FROM jobs j
    JOIN batches b ON b.id = j.batch_id AND b.state = 'running'
    LEFT JOIN jsonb_to_recordset(%(prices)s)
        AS p (model text, task text, usd_per_token numeric, usd_per_call numeric)
        ON p.model = j.model AND p.task = j.task
    LEFT JOIN jsonb_to_recordset(%(fixed)s) AS f (ask_id bigint, task text, tokens integer)
        ON f.ask_id = j.ask_id AND f.task = j.task
    WHERE j.id = ANY(%(ids)s) AND j.queue = 'frontier' AND j.state = 'ready' AND NOT %(stand_in)s
      AND (j.not_before IS NULL OR j.not_before <= now())
      AND (b.max_cost_usd IS NOT NULL OR %(usd_per_day)s::numeric IS NOT NULL)
), spent AS (
    SELECT c.batch_id, sum(coalesce(c.cost_usd, c.reserved_usd)) AS usd,
           count(*) FILTER (WHERE c.state = 'reserved' AND c.reserved_usd > 0) AS under_way
    FROM calls c
    WHERE c.tier = 'frontier' AND c.batch_id IN (SELECT batch_id FROM passed)
    GROUP BY c.batch_id
), today AS (
    SELECT coalesce(sum(coalesce(cost_usd, reserved_usd)), 0) AS usd,
           count(*) FILTER (WHERE state = 'reserved' AND reserved_usd > 0) AS under_way
    FROM calls
    WHERE %(usd_per_day)s::numeric IS NOT NULL AND tier = 'frontier' AND EXISTS (SELECT FROM passed)
      AND started_at >= date_trunc('day', now(), 'UTC')
), judged AS (
    SELECT p.*, coalesce(s.usd, 0) AS of_batch, today.usd AS of_day,
           CASE WHEN NOT p.priced THEN 'price'
                WHEN coalesce(s.usd, 0) + p.usd > p.max_cost_usd THEN 'batch'
                WHEN today.usd + p.usd > %(usd_per_day)s::numeric THEN 'day' END AS short_of,
           CASE WHEN coalesce(s.usd, 0) + p.usd > p.max_cost_usd THEN coalesce(s.under_way, 0)
                ELSE today.under_way END AS under_way
    FROM passed p CROSS JOIN today LEFT JOIN spent s ON s.batch_id = p.batch_id
), waiting AS (
    UPDATE jobs j SET not_before = now() + interval '0.3 second'
    FROM judged g
    WHERE j.id = g.id AND j.state = 'ready'
      AND (g.short_of IS NULL OR (g.short_of <> 'price' AND g.under_way > 0))
)
UPDATE jobs j
SET state = 'held',
    not_before = CASE WHEN g.short_of = 'day'
        THEN date_trunc('day', now(), 'UTC') + interval '1 day' END,
    error = jsonb_build_object('category', 'budget', 'phase', 'run', 'retryable', true,
        'message', 'the budget does not cover this job'),
    reason = CASE g.short_of
        WHEN 'price' THEN
            format('no price is known for %%s, so the budget cannot be kept; add one to '
                   '[prices] in docmill.toml, then `docmill resume %%s`', g.model, g.batch_id)
        WHEN 'batch' THEN
            format('the budget of $%%s does not cover this job ($%%s spent); '
                   '`docmill resume %%s --max-cost USD` continues',
                   trim_scale(g.max_cost_usd), trim_scale(g.of_batch), g.batch_id)
        ELSE
            format('the day''s budget of $%%s does not cover this job ($%%s spent); it goes on at '
                   'midnight UTC, or raise limits.usd_per_day and `docmill resume %%s`',
                   trim_scale(%(usd_per_day)s::numeric), trim_scale(g.of_day), g.batch_id) END
FROM judged g
WHERE j.id = g.id AND j.state = 'ready'
  AND (g.short_of = 'price' OR (g.short_of IS NOT NULL AND g.under_way = 0))
