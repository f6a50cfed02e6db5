-- Rows of a gold set to measure models on: of a large set those with the lowest keys, which is as good
-- as drawn by lot, and the same every time.
SELECT id, encode(key, 'hex') AS key, task, ask, json_schema AS schema, text, local_only
FROM gold
WHERE name = %(name)s AND (cast(%(split)s AS text) IS NULL OR split = %(split)s)
  AND task = ANY (%(tasks)s) AND (NOT %(leaves)s OR NOT local_only)
ORDER BY key LIMIT %(most)s
