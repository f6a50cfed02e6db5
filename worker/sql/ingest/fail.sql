-- A document that could not be read: quarantined, or back in line for another try.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS g (
        id bigint, state text, kills smallint, delay_s double precision, error jsonb)
), freed AS (
    DELETE FROM leases WHERE stage = 'ingest' AND owner = %(owner)s
        AND item_id = ANY (ARRAY(SELECT id FROM given))
    RETURNING item_id
)
UPDATE documents d
SET state = g.state, error = g.error, kills = d.kills + g.kills,
    not_before = now() + g.delay_s * interval '1 second',
    finished_at = CASE WHEN g.state = 'failed' THEN now() END
FROM given g JOIN freed f ON f.item_id = g.id
WHERE d.id = ANY (ARRAY(SELECT item_id FROM freed)) AND d.id = g.id AND d.state = 'pending'
