-- One page of batches, newest first, with what they cost.
SELECT p.batch, p.name, p.state, p.policy, p.priority, p.documents, p.documents_waiting,
       p.documents_failed, p.jobs, p.pending + p.ready + p.running AS open, p.done, p.failed, p.held,
       p.created_at, c.cost_usd, c.calls, c.cost_unknown_calls
FROM batch_progress p
CROSS JOIN LATERAL (
    SELECT sum(cost_usd) FILTER (WHERE state <> 'reused') AS cost_usd,
           count(*) FILTER (WHERE state <> 'reused') AS calls,
           count(*) FILTER (WHERE cost_usd IS NULL) AS cost_unknown_calls
    FROM calls WHERE batch_id = p.batch AND state <> 'reserved'
) c
WHERE cast(:before AS bigint) IS NULL OR p.batch < :before
ORDER BY p.batch DESC LIMIT :most
