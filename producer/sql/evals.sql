-- Every eval, newest first, or one of them.
SELECT id AS eval, kind, source, split, places, batch_id AS batch, created_at, scored_at,
       coalesce(texts, 0) AS texts
FROM evals
WHERE cast(%(eval)s AS bigint) IS NULL OR id = %(eval)s
ORDER BY id DESC LIMIT %(most)s
