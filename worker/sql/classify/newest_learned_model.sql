-- The installation's own model of asks, if it has one.
SELECT id, version, weights, report FROM learned_models ORDER BY id DESC LIMIT 1
