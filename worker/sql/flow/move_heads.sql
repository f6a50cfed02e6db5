-- Let looks into a line begin where something may stand. What transactions put there that have all
-- ended is either gone or seen here, so nothing can turn up behind the new head. (A database that was
-- restored elsewhere counts its transactions anew: then the head falls back.) Says which line it came
-- to; none: it was through.
WITH looked AS MATERIALIZED (
    SELECT id, head FROM lines WHERE id > %(after)s ORDER BY id LIMIT 32
), moved AS (
    UPDATE lines l
    SET head = h.head
    FROM (
        SELECT o.id, least(coalesce(first.xact, n.xmin), n.xmin) AS head
        FROM looked o
        CROSS JOIN (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin) n
        LEFT JOIN LATERAL (
            SELECT xact FROM waiting
            WHERE line_id = o.id AND xact >= CASE WHEN o.head <= n.xmin THEN o.head ELSE 0 END
            ORDER BY xact LIMIT 1
        ) first ON true
    ) h
    WHERE l.id = h.id AND l.head <> h.head
)
SELECT max(id) AS last FROM looked
