-- What a cancelled batch left in its lines.
WITH stopped AS (
    SELECT l.id, l.head FROM batches b JOIN lines l ON l.batch_id = b.id
    WHERE b.state = 'cancelled' AND b.finished_at IS NULL
), later AS (
    DELETE FROM delayed WHERE ctid = ANY (ARRAY(
        SELECT d.ctid FROM stopped s
        CROSS JOIN LATERAL (SELECT ctid FROM delayed WHERE line_id = s.id LIMIT 5000) d
        LIMIT 5000))
)
DELETE FROM waiting WHERE ctid = ANY (ARRAY(
    SELECT w.ctid FROM stopped s
    CROSS JOIN LATERAL (
        SELECT ctid FROM waiting WHERE line_id = s.id AND xact >= s.head LIMIT 5000) w
    LIMIT 5000))
