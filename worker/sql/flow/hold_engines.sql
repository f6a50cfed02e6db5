-- An engine, or a model of it, that no living worker can ask for a reason that somebody has to mend
-- is held: one row, which the lines follow. A gate of the whole engine counts for each of its models.
WITH hopeless AS (
    SELECT w.engine, w.model, min(g.code) AS code, min(g.message) AS message
    FROM (SELECT DISTINCT engine, model FROM gates WHERE lasting) w
    JOIN servers s ON s.engine = w.engine AND (w.model = '' OR w.model = ANY (s.models))
    LEFT JOIN LATERAL (
        SELECT code, message FROM gates
        WHERE owner = s.owner AND engine = w.engine AND model IN (w.model, '') AND lasting
        ORDER BY model LIMIT 1
    ) g ON true
    GROUP BY w.engine, w.model
    HAVING count(*) = count(g.code)
)
INSERT INTO holds (engine, model, code, about)
SELECT engine, nullif(model, ''), 'engine', jsonb_build_object('trouble', code, 'message', message)
FROM hopeless
ON CONFLICT (batch_id, zone, engine, model, code) DO NOTHING
