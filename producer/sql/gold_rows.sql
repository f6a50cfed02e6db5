-- The rows of a gold set, in a stable order.
SELECT encode(document, 'hex') AS document, split, task, ask, json_schema AS schema, text, value,
       language, model, source, licence, local_only
FROM gold
WHERE name = %(name)s AND (cast(%(split)s AS text) IS NULL OR split = %(split)s)
ORDER BY id
