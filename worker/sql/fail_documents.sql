-- A document that could not be read: quarantined, or back in line for another try.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS g (
        id bigint, state text, kills smallint, delay_s double precision, error jsonb)
)
UPDATE documents d
SET state = g.state, error = g.error, owner = NULL, lease_until = NULL,
    kills = d.kills + g.kills,
    not_before = now() + g.delay_s * interval '1 second',
    finished_at = CASE WHEN g.state = 'failed' THEN now() END
FROM given g
WHERE d.id = ANY (ARRAY(SELECT id FROM given)) AND d.id = g.id AND d.state = 'running' AND d.owner = %(owner)s
