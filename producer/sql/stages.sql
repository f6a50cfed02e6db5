-- Where the jobs of a batch are on the path, and how many ended in the last 20 seconds.
SELECT
    coalesce(sum(c.jobs) FILTER (WHERE c.state = 'pending'), 0)::bigint AS to_classify,
    coalesce(sum(c.jobs) FILTER (WHERE c.state = 'ready' AND l.zone = 'local'), 0)::bigint
        AS local_ready,
    coalesce(sum(c.jobs) FILTER (WHERE c.state = 'running' AND l.zone = 'local'), 0)::bigint
        AS local_running,
    coalesce(sum(c.jobs) FILTER (WHERE c.state = 'ready' AND l.zone = 'frontier'), 0)::bigint
        AS frontier_ready,
    coalesce(sum(c.jobs) FILTER (
        WHERE c.state IN ('running', 'submitted') AND l.zone = 'frontier'), 0)::bigint
        AS frontier_running,
    coalesce(sum(c.jobs) FILTER (
        WHERE c.state IN ('done', 'failed', 'held', 'cancelled', 'skipped')), 0)::bigint AS ended,
    (SELECT coalesce(sum(n), 0) FROM counts
     WHERE batch_id = %(batch)s AND NOT folded AND what = 'job' AND n > 0
       AND state IN ('done', 'failed') AND at > now() - interval '20 seconds')::bigint AS recent,
    coalesce(sum(c.jobs), 0)::bigint AS total
FROM job_counts c
LEFT JOIN lines l ON l.batch_id = c.batch AND l.queue = c.queue
WHERE c.batch = %(batch)s
