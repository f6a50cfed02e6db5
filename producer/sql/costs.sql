-- The ledger summed up. Calls under way (reserved or submitted) are left out until they end.
SELECT
    CASE %(by)s
        WHEN 'model' THEN c.model_asked
        WHEN 'task' THEN coalesce(c.task, CASE c.purpose WHEN 'page' THEN 'pages shown' ELSE 'classify step' END)
        WHEN 'batch' THEN coalesce(c.batch_id::text, 'purged')
        ELSE to_char(c.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')  -- as the day's budget counts
    END AS key,
    c.zone AS tier,
    count(*) FILTER (WHERE c.state <> 'reused') AS calls,
    sum(c.input_tokens) AS input_tokens,
    sum(c.cached_tokens) AS cached_tokens,
    sum(c.output_tokens) AS output_tokens,
    -- the 0 of an answer that was used again must not pass for the unknown cost of a call
    CASE WHEN bool_and(c.state = 'reused') THEN 0
         ELSE sum(c.cost_usd) FILTER (WHERE c.state <> 'reused') END AS cost_usd,
    count(*) FILTER (WHERE c.cost_usd IS NULL) AS unknown_price_calls,
    count(*) FILTER (WHERE c.state = 'lost') AS lost_calls,
    round(sum(c.engine_seconds)::numeric, 3) AS gpu_seconds,
    sum(c.would_have_cost_usd) AS would_have_cost_usd,
    count(*) FILTER (WHERE c.state = 'reused') AS reused_answers,
    bool_or(c.stand_in) AS stand_in,
    array_agg(DISTINCT CASE WHEN c.cost_reason = 'no_price' THEN 'no_price ' || c.model_asked
                            ELSE c.cost_reason END) FILTER (WHERE c.cost_usd IS NULL) AS reasons
FROM calls c
WHERE c.state NOT IN ('reserved', 'submitted') AND (cast(%(batch)s AS bigint) IS NULL OR c.batch_id = %(batch)s)
GROUP BY 1, 2
ORDER BY 1, 2
