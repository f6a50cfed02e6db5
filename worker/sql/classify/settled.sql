-- Asks after this one, each with its task type where that is settled: its user's word, or a language
-- model's that was likely right, and answered since. All jobs of an ask are of one task: a few tell it.
SELECT a.id, a.text, a.json_schema, j.task, j.found_by
FROM (SELECT * FROM asks WHERE id > %(after)s ORDER BY id LIMIT %(most)s) a
LEFT JOIN LATERAL (
    SELECT * FROM (
        SELECT task, state, found_by, confidence FROM jobs WHERE ask_id = a.id LIMIT 100) few
    WHERE state = 'done'
      AND (found_by = 'user' OR found_by = 'model' AND confidence >= %(likely)s)
    LIMIT 1
) j ON true
ORDER BY a.id
