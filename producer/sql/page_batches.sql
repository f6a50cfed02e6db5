-- One page of batches, newest first, with what they cost.
SELECT p.batch, p.name, p.state, p.policy, p.priority, p.documents, p.documents_waiting,
       p.documents_failed, p.jobs, p.pending + p.ready + p.running AS open, p.done, p.failed, p.held,
       p.created_at, docmill_submit_state(p.batch) AS submit, c.cost_usd, c.calls, c.cost_unknown_calls
FROM batch_progress p
CROSS JOIN LATERAL (
    SELECT CASE WHEN sum(calls) > sum(unknown) THEN sum(known_usd) END AS cost_usd,
           coalesce(sum(calls), 0)::bigint AS calls,
           coalesce(sum(unknown), 0)::bigint AS cost_unknown_calls
    FROM spend WHERE batch_id = p.batch
) c
WHERE cast(%(before)s AS bigint) IS NULL OR p.batch < %(before)s
ORDER BY p.batch DESC LIMIT %(most)s
