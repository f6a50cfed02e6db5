-- The next documents of a batch of which something is missing are read again, each as another one beside
-- it, which takes its place once all of it is done (docmill_replace_documents). Not those whose jobs are
-- under way, nor those of which people have ruled on an answer: that would go with it. Nor of a
-- batch whose submit did not end: what goes on with it looks for the documents that there are. The batch
-- is open again with them, and locked: nobody closes it meanwhile.
WITH again AS MATERIALIZED (
    SELECT d.id FROM documents d
    WHERE d.batch_id = %(batch)s AND d.missing IS NOT NULL AND d.state = 'done'
      AND d.replaces IS NULL
      AND (SELECT submitted_at FROM batches WHERE id = %(batch)s) IS NOT NULL
      AND EXISTS (SELECT FROM document_contents WHERE document_id = d.id)
      AND NOT EXISTS (SELECT FROM documents WHERE replaces = d.id)
      AND NOT EXISTS (SELECT FROM jobs j WHERE j.document_id = d.id
                      AND (EXISTS (SELECT FROM corrections WHERE job_id = j.id)
                           OR EXISTS (SELECT FROM gold WHERE job_id = j.id)))
    ORDER BY d.id LIMIT %(most)s
), made AS (
    INSERT INTO documents (batch_id, path, media_type, bytes, sha256, replaces)
    SELECT batch_id, path, media_type, bytes, sha256, id
    FROM documents WHERE id IN (SELECT id FROM again) ORDER BY id
    RETURNING id, replaces
), stored AS (
    INSERT INTO document_contents (document_id, data)
    SELECT m.id, c.data FROM made m JOIN document_contents c ON c.document_id = m.replaces
), opened AS (
    UPDATE batches SET state = 'running', finished_at = NULL, purge_at = NULL
    WHERE id = %(batch)s AND state IN ('running', 'finished') AND EXISTS (SELECT FROM made)
)
SELECT count(*) AS documents FROM made
