-- The installation's own scores of values, if it has any.
SELECT model FROM score_models ORDER BY id DESC LIMIT 1
