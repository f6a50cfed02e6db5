-- Answers of a batch that people ruled on, after the job :after, with the text that each is about.
SELECT j.id AS job, j.batch_id AS batch, docmill_corrected(j.id, w.value) AS value, w.fields,
       docmill_rulings(j.id) AS rulings, w.call_id AS call,
       a.text AS ask, a.json_schema AS schema, j.task, j.language,
       j.engine || '/' || j.model AS model, j.local_only OR j.pinned IS NOT NULL AS local_only,
       encode(d.sha256, 'hex') AS document,
       CASE WHEN k.id IS NOT NULL THEN k.text ELSE (
           SELECT string_agg(text, %(separator)s ORDER BY ordinal)
           FROM chunks WHERE document_id = d.id AND blank IS NULL) END AS text
FROM asks a
JOIN jobs j ON j.ask_id = a.id AND j.parent_id IS NULL
JOIN answers w ON w.job_id = j.id
JOIN documents d ON d.id = j.document_id
LEFT JOIN chunks k ON k.id = j.chunk_id
WHERE a.batch_id = %(batch)s AND j.id > %(after)s
  AND EXISTS (SELECT FROM corrections WHERE job_id = j.id)
ORDER BY j.id LIMIT %(most)s
