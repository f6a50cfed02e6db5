-- Every eval, newest first, or one of them.
SELECT e.id AS eval, e.kind, e.source, e.split, e.places, e.batch_id AS batch, e.created_at,
       e.scored_at, n.texts
FROM evals e
CROSS JOIN LATERAL (
    SELECT count(DISTINCT key) AS texts FROM eval_scores WHERE eval_id = e.id) n
WHERE cast(%(eval)s AS bigint) IS NULL OR e.id = %(eval)s
ORDER BY e.id DESC LIMIT %(most)s
