-- A paused batch goes on; what holds its jobs is lifted, with a new budget if one is given, and what is
-- not asked at present is tried at once: also the model that reads its scans. Documents that wait for
-- that one are looked at once its workers have heard of it.
WITH held AS (
    SELECT coalesce(sum(jobs), 0) AS jobs FROM job_counts WHERE batch = %(batch)s AND state = 'held'
), concerned AS (
    SELECT DISTINCT h.id FROM lines l
    CROSS JOIN LATERAL docmill_hold(l.batch_id, l.zone, l.engine, l.model) h
    WHERE l.batch_id = %(batch)s
), newest AS (
    SELECT settings #>> '{reading,ocr}' AS ocr FROM configurations ORDER BY id DESC LIMIT 1
), shut AS (
    SELECT DISTINCT g.engine, g.model FROM lines l
    JOIN gates g ON g.engine = l.engine AND g.model IN ('', l.model)
        OR l.stage = 'ingest' AND g.engine || '/' || g.model = (SELECT ocr FROM newest)
    WHERE l.batch_id = %(batch)s
), changed AS (
    UPDATE batches
    SET state = 'running', max_cost_usd = coalesce(cast(%(max_cost)s AS numeric), max_cost_usd)
    WHERE id = %(batch)s AND state IN ('running', 'paused')
      AND (state = 'paused' OR EXISTS (SELECT FROM concerned) OR EXISTS (SELECT FROM shut)
           OR cast(%(max_cost)s AS numeric) IS NOT NULL)
    RETURNING id
), lifted AS (
    DELETE FROM holds WHERE id IN (SELECT id FROM concerned) AND EXISTS (SELECT FROM changed)
), tried AS (
    UPDATE gates SET lifted = true
    WHERE (engine, model) IN (SELECT engine, model FROM shut) AND EXISTS (SELECT FROM changed)
), sooner AS (
    UPDATE delayed w SET due_at = least(w.due_at, now() + interval '3 seconds')
    FROM lines l, documents d
    WHERE l.batch_id = %(batch)s AND l.stage = 'ingest' AND w.line_id = l.id
      AND d.id = w.item_id AND d.error->>'category' = 'engine_away' AND EXISTS (SELECT FROM changed)
)
SELECT id, (SELECT jobs FROM held)::bigint AS jobs FROM changed
