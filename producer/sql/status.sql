-- One batch: how far it is and what it cost.
SELECT
    b.id AS batch, b.name, b.state, b.local_only, b.priority, b.max_cost_usd,
    b.created_at, b.started_at,
    coalesce(b.finished_at, (
        SELECT max(finished_at) FROM jobs WHERE batch_id = b.id
        HAVING bool_and(state NOT IN ('pending', 'ready', 'running')))) AS finished_at,
    coalesce((SELECT jsonb_object_agg(state, n) FROM (
        SELECT state, count(*) AS n FROM documents WHERE batch_id = b.id GROUP BY state) d),
        '{}') AS documents,
    coalesce((SELECT jsonb_object_agg(state, n) FROM (
        SELECT state, count(*) AS n FROM jobs WHERE batch_id = b.id GROUP BY state) j),
        '{}') AS jobs,
    c.cost_usd, c.calls, c.cost_unknown_calls, c.lost_calls
FROM batches b
CROSS JOIN LATERAL (
    SELECT sum(cost_usd) FILTER (WHERE state <> 'reused') AS cost_usd,
           count(*) FILTER (WHERE state <> 'reused') AS calls,
           count(*) FILTER (WHERE cost_usd IS NULL) AS cost_unknown_calls,
           count(*) FILTER (WHERE state = 'lost') AS lost_calls
    FROM calls WHERE batch_id = b.id AND state <> 'reserved'
) c
WHERE b.id = :batch
