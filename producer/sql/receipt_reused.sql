-- Jobs that were answered without a call, by who had answered the identical request before.
SELECT g.zone AS tier, g.engine, g.host, g.model_asked AS model, count(*) AS answers,
       array_agg(DISTINCT g.batch_id ORDER BY g.batch_id) AS from_batches
FROM calls r JOIN calls g ON g.id = r.reused_from
WHERE r.batch_id = %(batch)s AND r.state = 'reused'
GROUP BY g.zone, g.engine, g.host, g.model_asked
ORDER BY g.zone, g.host, g.model_asked
