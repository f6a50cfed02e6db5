-- Queues that a batch waits in while no living worker serves them.
SELECT l.queue, l.stage, l.zone
FROM lines l JOIN batches b ON b.id = l.batch_id
WHERE l.batch_id = %(batch)s AND b.state = 'running'
  AND (EXISTS (SELECT FROM waiting WHERE line_id = l.id AND xact >= l.head)
       OR EXISTS (SELECT FROM delayed WHERE line_id = l.id))
  AND NOT EXISTS (
      SELECT FROM workers w
      LEFT JOIN servers s ON s.owner = w.owner AND s.engine = l.engine AND l.model = ANY (s.models)
      WHERE w.seen_at > now() - interval '1 minute'
        AND CASE WHEN l.stage = 'ingest' THEN w.pool IN ('ingest', 'all')
                 ELSE s.engine IS NOT NULL END)
ORDER BY l.queue
