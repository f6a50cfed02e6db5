-- The next bulk that is due, for this worker to move on: of `engines`, at these hosts; or of `every`
-- engine where no worker reaches its host with a batch API any more. What a worker that went away was at
-- is anybody's once its time is over.
UPDATE bulks b
SET owner = %(owner)s, until = now() + %(lease_s)s * interval '1 second'
FROM batches of
WHERE of.id = b.batch_id AND b.id = (
    SELECT d.id FROM bulks d
    WHERE d.state <> 'closed' AND d.due_at <= now() AND (d.owner IS NULL OR d.until < now())
      AND (d.engine = ANY (%(engines)s) AND d.host = ANY (%(hosts)s)
           OR d.engine = ANY (%(every)s) AND (d.engine <> ALL (%(engines)s) OR NOT EXISTS (
               SELECT FROM servers s JOIN workers w USING (owner)
               WHERE s.engine = d.engine AND s.address = d.host
                 AND w.seen_at > now() - %(silence_s)s * interval '1 second')))
      -- nothing is begun for a batch that is paused; what was begun goes on
      AND (d.state NOT IN ('gathering', 'gathered', 'uploaded')
           OR (SELECT state FROM batches WHERE id = d.batch_id) <> 'paused')
    ORDER BY d.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING b.id, b.line_id, b.engine, b.model, b.host, b.state, b.requests, b.bytes,
          b.requests - b.open_jobs AS came_back,
          (SELECT sum(open_jobs) FROM bulks
           WHERE engine = b.engine AND state <> 'closed')::integer AS handed_in,
          b.upload, b.remote, b.done, b.tries, b.sent_at, of.deadline,
          of.state IN ('cancelled', 'purged') OR NOT of.allow_provider_batch AS cancelled, now() AS now
