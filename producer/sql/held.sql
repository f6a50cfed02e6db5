-- Jobs that are held, of a batch or of all, by batch and reason.
SELECT c.batch, h.code, h.about, sum(c.jobs)::bigint AS jobs
FROM job_counts c
JOIN lines l ON l.batch_id = c.batch AND l.queue = c.queue
CROSS JOIN LATERAL (
    SELECT code, about FROM docmill_hold(c.batch, l.zone, l.engine, l.model) LIMIT 1) h
WHERE c.state = 'held' AND (cast(%(batch)s AS bigint) IS NULL OR c.batch = %(batch)s)
GROUP BY c.batch, h.code, h.about
ORDER BY c.batch DESC, jobs DESC
