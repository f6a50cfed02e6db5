-- Say that an eval is being compared; no row: somebody else has done so.
UPDATE evals SET scored_at = now(), texts = %(texts)s
WHERE id = %(eval)s AND scored_at IS NULL
