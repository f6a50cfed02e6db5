-- Engines and models that are not asked at present, host by host: those that a batch has something to
-- do for, or all. What is the matter with a whole engine is not said again of its models. Workers that
-- died are forgotten by the leader, if there is one.
SELECT g.engine, nullif(g.model, '') AS model, s.kind, s.address AS host, g.code,
       min(g.message) AS message, bool_or(g.lasting) AS lasting, min(g.since) AS since,
       CASE WHEN bool_and(g.until IS NOT NULL) THEN max(g.until) END AS until,
       array_agg(DISTINCT w.host ORDER BY w.host) AS workers
FROM gates g
JOIN servers s ON s.owner = g.owner AND s.engine = g.engine
JOIN workers w ON w.owner = g.owner AND w.seen_at > now() - interval '1 minute'
WHERE NOT EXISTS (
    SELECT FROM gates e WHERE e.owner = g.owner AND e.engine = g.engine
      AND e.model = '' AND g.model <> '' AND e.code = g.code
) AND (cast(%(batch)s AS bigint) IS NULL OR EXISTS (
    SELECT FROM lines l
    WHERE l.batch_id = %(batch)s AND l.engine = g.engine AND g.model IN ('', l.model)
      AND (EXISTS (SELECT FROM waiting WHERE line_id = l.id AND xact >= l.head)
           OR EXISTS (SELECT FROM delayed WHERE line_id = l.id)
           OR EXISTS (SELECT FROM leases WHERE line_id = l.id))))
GROUP BY g.engine, g.model, s.kind, s.address, g.code
ORDER BY g.engine, s.address, g.model, g.code
