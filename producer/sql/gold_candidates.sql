-- Answers of a batch that people ruled on, after the job :after, with the text that each is about. It
-- begins at corrections: people rule on few of the jobs of a large batch.
SELECT j.id AS job, j.batch_id AS batch, docmill_corrected(j.id, w.value) AS value, w.fields,
       docmill_rulings(j.id) AS rulings, w.call_id AS call,
       a.text AS ask, a.json_schema AS schema, j.task, j.language,
       j.engine || '/' || j.model AS model, j.local_only OR j.pinned IS NOT NULL AS local_only,
       encode(d.sha256, 'hex') AS document,
       CASE WHEN k.id IS NOT NULL THEN k.text ELSE (
           SELECT string_agg(text, %(separator)s ORDER BY ordinal)
           FROM chunks WHERE document_id = d.id AND blank IS NULL) END AS text
FROM (SELECT DISTINCT c.job_id
      FROM corrections c JOIN jobs o ON o.id = c.job_id
      WHERE c.job_id > %(after)s AND o.batch_id = %(batch)s AND o.parent_id IS NULL
      ORDER BY c.job_id LIMIT %(most)s) c
JOIN jobs j ON j.id = c.job_id
JOIN answers w ON w.job_id = j.id
JOIN asks a ON a.id = j.ask_id
JOIN documents d ON d.id = j.document_id
LEFT JOIN chunks k ON k.id = j.chunk_id
ORDER BY j.id
