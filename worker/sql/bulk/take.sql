-- The next bulk of these engines that is due, for this worker to move on. What a worker that went away
-- was at is anybody's once its time is over.
UPDATE bulks b
SET owner = %(owner)s, until = now() + %(lease_s)s * interval '1 second'
FROM batches of
WHERE of.id = b.batch_id AND b.id = (
    SELECT id FROM bulks
    WHERE state <> 'closed' AND due_at <= now() AND engine = ANY (%(engines)s)
      AND (owner IS NULL OR until < now())
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING b.id, b.line_id, b.engine, b.model, b.host, b.state, b.requests, b.bytes,
          (SELECT sum(open_jobs) FROM bulks
           WHERE engine = b.engine AND state <> 'closed')::integer AS handed_in,
          b.upload, b.remote, b.done, b.tries, b.sent_at, of.deadline,
          of.state IN ('cancelled', 'purged') AS cancelled, now() AS now
