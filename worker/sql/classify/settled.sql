-- Asks whose task type is settled, from this one on: named by the user, or by a language model that was
-- likely right, and answered since. All jobs of an ask are of one task, so a few of them tell.
SELECT a.id, a.text, a.json_schema, coalesce(a.task, j.task) AS task, a.task IS NOT NULL AS by_user
FROM (SELECT * FROM asks WHERE id > %(after)s ORDER BY id LIMIT %(most)s) a
LEFT JOIN LATERAL (
    SELECT * FROM (SELECT task, state, found_by, confidence FROM jobs WHERE ask_id = a.id LIMIT 100) few
    WHERE state = 'done' ORDER BY confidence DESC NULLS LAST LIMIT 1
) j ON j.found_by = 'user' OR j.found_by = 'model' AND j.confidence >= %(likely)s
ORDER BY a.id
