-- Answers that people ruled on, after the job :after, with the text that each is about. `wrong` says of
-- each field with a ruling whether the answer as it was given had another value there. Evals
-- are left out: their documents are copies, whose hashes would draw the split of a document again.
SELECT j.id, encode(d.sha256, 'hex') AS document, j.task, a.json_schema, w.value, r.wrong,
       CASE WHEN k.id IS NOT NULL
            THEN jsonb_build_array(jsonb_build_object(
                'ordinal', k.ordinal, 'start', k.char_start, 'text', k.text,
                'pages', jsonb_build_array(k.page_from, k.page_to)))
            ELSE (
                SELECT jsonb_agg(jsonb_build_object('ordinal', ordinal, 'start', char_start, 'text', text,
                                                    'pages', jsonb_build_array(page_from, page_to))
                                 ORDER BY ordinal)
                FROM chunks WHERE document_id = d.id AND blank IS NULL) END AS pieces
FROM (SELECT DISTINCT made.job_id
      FROM corrections made JOIN jobs o ON o.id = made.job_id
      WHERE made.job_id > %(after)s
        AND NOT EXISTS (SELECT FROM evals e WHERE e.batch_id = o.batch_id)
      ORDER BY made.job_id LIMIT %(most)s) c
JOIN jobs j ON j.id = c.job_id
JOIN answers w ON w.job_id = j.id
JOIN documents d ON d.id = j.document_id
JOIN asks a ON a.id = j.ask_id
LEFT JOIN chunks k ON k.id = j.chunk_id
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(field, (w.value #> path) IS DISTINCT FROM (x.value #> path)) AS wrong
    FROM corrections, (SELECT docmill_corrected(j.id, w.value) AS value) x
    WHERE job_id = j.id
) r
ORDER BY j.id
