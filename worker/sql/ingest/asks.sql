-- The asks of a batch, in the user's order.
SELECT id, text, json_schema, task, scope, documents, place, examples, prompt FROM asks WHERE batch_id = %(batch_id)s
ORDER BY ordinal
