-- Tuned models, newest first: all, or those of an adapter's file.
SELECT id AS model, place, base, base_digest, data_hash, adapter_hash, versions, eval_id AS eval,
       scores, better, anyway, served_at, created_at
FROM tuned_models
WHERE cast(%(adapter)s AS text) IS NULL OR adapter_hash = %(adapter)s
ORDER BY id DESC
LIMIT %(most)s
