-- The next jobs of a line that nobody has begun: those that wait, then those that wait for a moment.
SELECT w.xact, w.item_id, j.id, j.local_only OR j.pinned IS NOT NULL AS stays, j.chunk_id, j.task, j.found_by,
       j.confidence, j.language, j.tokens, j.zone, j.engine, j.model, j.bulk,
       -- what has been in a bulk does not go into another
       b.allow_provider_batch AND (j.bulk OR j.waits = 0) AS allow_provider_batch, a.place
FROM (
    (SELECT xact, item_id FROM waiting
     WHERE line_id = %(line)s AND (xact, item_id) > (%(xact)s, %(item)s) AND xact < %(before)s
     ORDER BY xact, item_id LIMIT %(most)s)
    UNION ALL
    (SELECT %(before)s AS xact, item_id FROM delayed
     WHERE line_id = %(line)s AND (%(before)s, item_id) > (%(xact)s, %(item)s)
     ORDER BY item_id LIMIT %(most)s)
    ORDER BY xact, item_id LIMIT %(most)s
) w
LEFT JOIN jobs j ON j.id = w.item_id AND j.attempts = 0 AND j.step = 0 AND j.parent_id IS NULL
    AND NOT EXISTS (SELECT FROM jobs p WHERE p.parent_id = j.id)
LEFT JOIN batches b ON b.id = j.batch_id
LEFT JOIN asks a ON a.id = j.ask_id
ORDER BY w.xact, w.item_id
