-- The installation's own model of scores, if it has one.
SELECT id, version, model, report FROM score_models ORDER BY id DESC LIMIT 1
