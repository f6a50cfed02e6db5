-- Write verdicts and route every pending job that they concern, in one statement. `routes` is the
-- routing function's answer for every case, so that the decision itself stays in worker/route.py.
WITH verdicts AS (
    SELECT * FROM jsonb_to_recordset(%(verdicts)s) AS v (key uuid, task text)
), found AS (
    UPDATE classifications c
    SET task = v.task, owner = NULL, lease_until = NULL
    FROM verdicts v
    WHERE c.key = ANY (ARRAY(SELECT key FROM verdicts)) AND c.key = v.key AND c.task IS NULL
), routes AS (
    SELECT * FROM jsonb_to_recordset(%(routes)s)
        AS r (task text, local_only boolean, language text, queue text, model text)
), wanted AS (
    SELECT j.id, v.task, j.local_only OR j.pinned IS NOT NULL AS local_only,
           CASE WHEN j.language = ANY(%(languages)s) THEN j.language ELSE '*' END AS language
    FROM jobs j JOIN verdicts v ON v.key = j.classify_key
    WHERE j.classify_key = ANY (ARRAY(SELECT key FROM verdicts)) AND j.state = 'pending'
    ORDER BY j.id FOR UPDATE OF j
)
UPDATE jobs j
SET state = 'ready', task = w.task, queue = r.queue, model = r.model, error = NULL
FROM wanted w
JOIN routes r ON r.task = w.task AND r.local_only = w.local_only AND r.language = w.language
WHERE j.id = ANY (ARRAY(SELECT id FROM wanted)) AND j.id = w.id AND j.state = 'pending'
RETURNING j.id
