-- Pairs whose classify call brought nothing: free for the next try; `back` takes back the attempt
-- where the engine was the one in trouble.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS g (key uuid, back smallint)
)
UPDATE classifications c
SET owner = NULL, lease_until = NULL, attempts = c.attempts - g.back
FROM given g
WHERE c.key = ANY (ARRAY(SELECT key FROM given)) AND c.key = g.key AND c.task IS NULL AND c.owner = %(owner)s
