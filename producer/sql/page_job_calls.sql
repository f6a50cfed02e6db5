-- The rows of the ledger of a job and its parts, oldest first.
SELECT c.purpose, c.attempt, c.state, c.zone AS tier, c.engine, c.kind, c.host, c.stand_in,
       c.model_asked, c.model_answered, c.input_tokens, c.cached_tokens, c.output_tokens, c.cost_usd,
       CASE WHEN c.cost_reason = 'no_price' THEN 'no_price ' || c.model_asked
            ELSE c.cost_reason END AS cost_reason,
       c.price_source, c.latency_ms, c.finish, c.reused_from, c.answer, c.error, c.started_at, j.level, j.first, j.last,
       count(*) OVER () AS calls
FROM calls c JOIN jobs j ON j.id = c.job_id
WHERE c.job_id = ANY (ARRAY(SELECT id FROM jobs WHERE id = %(job)s OR parent_id = %(job)s))
ORDER BY c.started_at, c.id LIMIT %(most)s
