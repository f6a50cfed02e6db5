-- What waited for its moment stands in its line again.
WITH due AS (
    DELETE FROM delayed WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM delayed WHERE due_at <= now() AND due_at >= %(since)s
        ORDER BY due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED))
    RETURNING line_id, item_id
), back AS (
    INSERT INTO waiting (line_id, item_id) SELECT line_id, item_id FROM due
    ON CONFLICT DO NOTHING
)
SELECT now() AS at, count(*) AS n FROM due
