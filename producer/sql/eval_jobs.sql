-- The last jobs of a batch that were answered, with the text that each is about.
SELECT j.id, j.task, a.text AS ask, a.json_schema AS schema,
       j.local_only OR j.pinned IS NOT NULL AS local_only,
       CASE WHEN k.id IS NOT NULL THEN k.text ELSE (
           SELECT string_agg(text, %(separator)s ORDER BY ordinal)
           FROM chunks WHERE document_id = j.document_id AND blank IS NULL) END AS text
FROM asks a
JOIN jobs j ON j.ask_id = a.id AND j.parent_id IS NULL AND j.state = 'done'
JOIN answers w ON w.job_id = j.id
LEFT JOIN chunks k ON k.id = j.chunk_id
WHERE a.batch_id = %(batch)s AND j.task = ANY (%(tasks)s)
  AND (NOT %(leaves)s OR NOT (j.local_only OR j.pinned IS NOT NULL))
ORDER BY j.finished_at DESC, j.id DESC LIMIT %(most)s
