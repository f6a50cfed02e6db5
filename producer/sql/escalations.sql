-- What second readings came to, batch by batch. Those under way count with their upper bounds.
SELECT e.batch_id AS batch, n.jobs AS of_jobs, e.jobs, e.fields, e.mended, e.usd, e.unknown
FROM escalations e
JOIN batches b ON b.id = e.batch_id AND (b.state <> 'purged' OR b.keeps_costs)
CROSS JOIN LATERAL (
    SELECT sum(n) AS jobs FROM counts WHERE counts.batch_id = e.batch_id AND what = 'job') n
WHERE e.jobs > 0 AND (cast(%(batch)s AS bigint) IS NULL OR e.batch_id = %(batch)s)
ORDER BY e.batch_id
