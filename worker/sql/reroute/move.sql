-- Send jobs that still wait in this line elsewhere: the trigger on jobs puts them into their new line.
-- A verdict that another model is asked for is kept under a key of its own.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (
        id bigint, zone text, engine text, model text, bulk boolean, escalation_reason text)
), waited AS (
    DELETE FROM waiting WHERE line_id = %(line)s AND xact < %(before)s
        AND item_id = ANY (ARRAY(SELECT id FROM given))
    RETURNING item_id
), delay AS (
    DELETE FROM delayed WHERE line_id = %(line)s AND item_id = ANY (ARRAY(SELECT id FROM given))
    RETURNING item_id
)
UPDATE jobs j
SET zone = g.zone, engine = g.engine, model = g.model, bulk = g.bulk,
    escalation_reason = g.escalation_reason, classify_key = CASE WHEN j.state = 'pending' THEN
        encode(substr(sha256(convert_to(concat_ws('/', j.classify_key, g.engine, g.model), 'UTF8')),
                      1, 16), 'hex')::uuid
        ELSE j.classify_key END
FROM given g
WHERE j.id = g.id AND g.id IN (SELECT item_id FROM waited UNION ALL SELECT item_id FROM delay)
RETURNING j.id
