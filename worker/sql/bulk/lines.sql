-- The open lines of these engines in which jobs wait for a bulk: how many, up to so many, and whether
-- more of their batch will come.
SELECT l.id AS line_id, b.allow_provider_batch AS allowed, l.engine, l.deadline, w.n AS jobs,
       (SELECT coalesce(sum(open_jobs), 0) FROM bulks
        WHERE engine = l.engine AND state <> 'closed')::integer AS handed_in, now() AS now,
       (docmill_submit_state(l.batch_id) = 'under way' OR EXISTS (
           SELECT FROM counts t WHERE t.batch_id = l.batch_id AND t.state = 'pending'
           GROUP BY t.what, t.queue HAVING sum(t.n) > 0))
       -- one slow document does not hold up all the others
       AND (SELECT max(at) FROM counts t WHERE t.batch_id = l.batch_id AND t.queue = l.queue)
           > now() - interval '10 minutes' AS more_comes
FROM lines l
JOIN batches b ON b.id = l.batch_id
CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM (
        SELECT FROM waiting WHERE line_id = l.id AND xact >= l.head LIMIT %(most)s) w) w
WHERE l.stage = 'bulk' AND l.open AND l.engine = ANY (%(engines)s) AND w.n > 0
  AND NOT EXISTS (SELECT FROM bulks g WHERE g.line_id = l.id AND g.state = 'gathering')
