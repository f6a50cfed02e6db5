-- How fast each queue goes: the slots that serve it, what a job of it took of late, and the jobs that
-- wait in it or are under way. Of late: the last 20,000 calls that were settled, and no older than a
-- day, so that it costs the same however many there are.
WITH served AS (
    SELECT s.engine, model, sum(s.slots) AS slots
    FROM servers s JOIN workers w ON w.owner = s.owner AND w.seen_at > now() - interval '1 minute'
    CROSS JOIN LATERAL unnest(s.models) AS model
    GROUP BY s.engine, model
), recent AS MATERIALIZED (
    SELECT engine, model_asked AS model,
           job_id, docmill_queue(CASE purpose WHEN 'classify' THEN 'pending' END, engine, model_asked) AS queue,
           input_tokens, output_tokens, latency_ms
    FROM calls
    WHERE id >= docmill_first_id(now() - interval '1 day') AND state = 'settled'
      AND document_id IS NULL  -- pages are shown beside the queues
    ORDER BY id DESC LIMIT 20000
), measured AS (
    SELECT engine, model, queue, count(*)::numeric AS calls,
           sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
           sum(input_tokens + output_tokens) * 1000.0 / sum(latency_ms) AS tokens_per_second,
           -- of a purged batch nobody knows any more which calls were of one job
           count(DISTINCT job_id) + count(*) FILTER (WHERE job_id IS NULL) AS jobs
    FROM recent WHERE input_tokens > 0 AND output_tokens IS NOT NULL AND latency_ms > 0
    GROUP BY engine, model, queue
), waits AS (
    SELECT l.queue, sum(c.n) AS jobs
    FROM lines l JOIN counts c ON c.batch_id = l.batch_id AND c.queue = l.queue
    WHERE l.open AND c.what = 'job' AND c.state IN ('pending', 'ready')
    GROUP BY l.queue
)
SELECT m.queue, m.engine, coalesce(s.slots, 0)::bigint AS slots,
       coalesce(w.jobs, 0)::bigint AS waiting,
       m.tokens_per_second::double precision, (m.calls / m.jobs)::double precision AS calls,
       (m.input_tokens / m.jobs)::double precision AS input_tokens,
       (m.output_tokens / m.jobs)::double precision AS output_tokens
FROM measured m
LEFT JOIN served s USING (engine, model)
LEFT JOIN waits w USING (queue)
ORDER BY m.queue
