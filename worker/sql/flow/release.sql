-- Give back what this worker took and did not begin, without a trace. `delay_s` NULL: at once.
WITH freed AS (
    DELETE FROM leases l
    USING unnest(%(stages)s::text[], %(items)s::bigint[]) AS g (stage, item_id)
    WHERE l.stage = ANY (%(stages)s) AND l.item_id = ANY (%(items)s)
      AND l.stage = g.stage AND l.item_id = g.item_id AND l.owner = %(owner)s
    RETURNING l.line_id, l.item_id
), later AS (
    INSERT INTO delayed (line_id, item_id, due_at)
    SELECT line_id, item_id, now() + %(delay_s)s::float8 * interval '1 second'
    FROM freed WHERE %(delay_s)s::float8 IS NOT NULL
    ON CONFLICT (line_id, item_id) DO UPDATE SET due_at = excluded.due_at
)
INSERT INTO waiting (line_id, item_id)
SELECT line_id, item_id FROM freed WHERE %(delay_s)s::float8 IS NULL
ON CONFLICT DO NOTHING
