-- The eval that a batch is, if it is one.
SELECT id AS eval, kind, source FROM evals WHERE batch_id = %(batch)s
