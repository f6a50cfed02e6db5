-- One batch: how far it is and what it cost.
SELECT
    b.id AS batch, b.name, b.state, b.local_only, b.priority, b.max_cost_usd, b.configuration_id,
    b.keeps_costs, b.deadline, b.accept_error,
    b.created_at, b.started_at, docmill_submit_state(b.id) AS submit,
    coalesce(b.finished_at, (SELECT max(at) FROM counts WHERE batch_id = b.id)) AS changed_at,
    coalesce((SELECT jsonb_object_agg(state, n) FROM (
        SELECT state, sum(documents) AS n FROM document_counts WHERE batch = b.id
        GROUP BY state HAVING sum(documents) > 0) d), '{}') AS documents,
    coalesce((SELECT jsonb_object_agg(state, n) FROM (
        SELECT state, sum(jobs) AS n FROM job_counts WHERE batch = b.id
        GROUP BY state HAVING sum(jobs) > 0) j), '{}') AS jobs,
    c.cost_usd, c.calls, c.cost_unknown_calls, c.lost_calls
FROM batches b
CROSS JOIN LATERAL (
    SELECT CASE WHEN sum(calls) > sum(unknown) THEN sum(known_usd) END AS cost_usd,
           coalesce(sum(calls), 0)::bigint AS calls,
           coalesce(sum(unknown), 0)::bigint AS cost_unknown_calls,
           coalesce(sum(lost), 0)::bigint AS lost_calls
    FROM spend WHERE batch_id = b.id
) c
WHERE b.id = %(batch)s
