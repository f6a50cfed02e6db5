-- A document's chunks and jobs, its new state and the end of its bytes, in one statement. If this
-- worker lost the lease in the meantime, nothing is written.
WITH moved AS (
    UPDATE documents
    SET state = %(state)s, pages = %(pages)s, language = %(language)s, notes = %(notes)s,
        jobs_total = %(jobs_total)s, jobs_finished = %(jobs_finished)s,
        error = NULL, owner = NULL, lease_until = NULL, not_before = NULL,
        finished_at = CASE WHEN %(state)s = 'ready' THEN NULL ELSE now() END
    WHERE id = %(id)s AND state = 'running' AND owner = %(owner)s
    RETURNING id, batch_id
), spent AS (
    DELETE FROM document_contents o USING moved m WHERE o.document_id = m.id
), cut AS (
    INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, tokens,
                        language, blank, text)
    SELECT m.id, c.ordinal, c.page_from, c.page_to, c.char_start, c.char_end, c.tokens,
           c.language, c.blank, c.text
    FROM moved m, jsonb_to_recordset(%(chunks)s) AS c (
        ordinal integer, page_from integer, page_to integer, char_start integer,
        char_end integer, tokens integer, language text, blank text, text text)
    RETURNING id, ordinal
)
INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, classify_key, task,
                  queue, model, tokens, language, reason, finished_at)
SELECT m.batch_id, b.local_only, m.id, c.id, j.ask_id, j.state, j.classify_key, j.task,
       j.queue, j.model, j.tokens, j.language, j.reason,
       CASE WHEN j.state = 'skipped' THEN now() END
FROM moved m
JOIN batches b ON b.id = m.batch_id
CROSS JOIN jsonb_to_recordset(%(jobs)s) AS j (
    chunk integer, ask_id bigint, state text, classify_key uuid, task text, queue text,
    model text, tokens integer, language text, reason text)
LEFT JOIN cut c ON c.ordinal = j.chunk
ORDER BY c.ordinal NULLS FIRST, j.ask_id
RETURNING id
