-- The batches of providers that jobs of a batch stand in, and those that went wrong.
SELECT engine, model, state, requests, open_jobs AS jobs, done, coalesce(given_up, detail) AS detail,
       created_at, sent_at
FROM bulks
WHERE batch_id = %(batch)s AND (open_jobs > 0 OR state <> 'closed' OR coalesce(given_up, detail) IS NOT NULL)
ORDER BY created_at DESC LIMIT 100
