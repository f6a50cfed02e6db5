-- A document that could not be read: put aside with the reason, or back in line for another try. The
-- bytes of one that no reader will ever read are of no use.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS g (
        id bigint, state text, kills smallint, delay_s double precision, error jsonb)
), freed AS (
    DELETE FROM leases WHERE stage = 'ingest' AND owner = %(owner)s
        AND item_id = ANY (ARRAY(SELECT id FROM given))
    RETURNING item_id
), useless AS (
    DELETE FROM document_contents WHERE document_id = ANY (ARRAY(
        SELECT f.item_id FROM freed f JOIN given g ON g.id = f.item_id WHERE g.state = 'unsupported'))
), scanned AS (
    DELETE FROM scanned_pages WHERE document_id = ANY (ARRAY(
        SELECT f.item_id FROM freed f JOIN given g ON g.id = f.item_id WHERE g.state <> 'pending'))
)
UPDATE documents d
SET state = g.state, error = g.error, kills = d.kills + g.kills,
    not_before = now() + g.delay_s * interval '1 second',
    finished_at = CASE WHEN g.state <> 'pending' THEN now() END
FROM given g JOIN freed f ON f.item_id = g.id
WHERE d.id = ANY (ARRAY(SELECT item_id FROM freed)) AND d.id = g.id AND d.state = 'pending'
