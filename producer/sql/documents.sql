-- What became of the documents of a batch, in the order in which they were submitted.
SELECT document_id, document, state, reason, message, missing, notes, media_type, bytes, pages,
       language, jobs, jobs_finished, finished_at
FROM documents_status
WHERE batch = %(batch)s AND (cast(%(state)s AS text) IS NULL OR state = %(state)s)
  AND (cast(%(after)s AS bigint) IS NULL OR document_id > %(after)s)
ORDER BY document_id LIMIT %(most)s
