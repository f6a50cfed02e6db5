-- Lease the next jobs of one open line, which wait for a bulk. A claim whose answer was lost is repeated
-- under its own id, and finds what it took.
WITH mine AS MATERIALIZED (
    SELECT item_id, line_id FROM leases WHERE claim = %(claim)s
), taken AS (
    DELETE FROM waiting
    WHERE ctid = ANY (ARRAY(
        SELECT next.ctid FROM lines l
        CROSS JOIN LATERAL (
            SELECT ctid FROM waiting WHERE line_id = l.id AND xact >= l.head
            ORDER BY xact, item_id LIMIT %(most)s
            FOR UPDATE SKIP LOCKED
        ) next
        WHERE l.id = %(line)s AND l.open AND NOT EXISTS (SELECT FROM mine)))
    RETURNING line_id, item_id
), leased AS (
    INSERT INTO leases (stage, item_id, line_id, owner, claim, until)
    SELECT 'bulk', item_id, line_id, %(owner)s, %(claim)s,
           now() + %(lease_s)s * interval '1 second'
    FROM taken ORDER BY item_id
    ON CONFLICT DO NOTHING
    RETURNING item_id, line_id
)
SELECT item_id, line_id FROM leased UNION ALL SELECT item_id, line_id FROM mine
