-- How many chunks of a batch hold which kind of private data, and were kept local for it.
SELECT kind, count(*) AS chunks
FROM chunks t
JOIN documents d ON d.id = t.document_id
CROSS JOIN LATERAL unnest(string_to_array(t.pinned, ', ')) AS kind
WHERE d.batch_id = %(batch)s AND t.pinned IS NOT NULL
GROUP BY kind ORDER BY kind
