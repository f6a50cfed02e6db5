-- The chunks, boxes and jobs of documents that were read, their new states and the end of their bytes,
-- but where pages are missing, in one statement. A document whose lease this worker lost in the
-- meantime is left alone. Jobs of one ask follow each other, so that engines keep the fixed part of
-- its prompt warm.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(documents)s) AS d (
        id bigint, state text, pages integer, language text, notes text[], missing jsonb,
        error jsonb, jobs_total integer, jobs_finished integer)
), freed AS (
    DELETE FROM leases WHERE stage = 'ingest' AND owner = %(owner)s
        AND item_id = ANY (ARRAY(SELECT id FROM given))
    RETURNING item_id
), moved AS (
    UPDATE documents d
    SET state = g.state, pages = g.pages, language = g.language, notes = g.notes,
        missing = g.missing, error = g.error, jobs_total = g.jobs_total,
        jobs_finished = g.jobs_finished, not_before = NULL,
        finished_at = CASE WHEN g.state <> 'ready' THEN now() END
    FROM given g JOIN freed f ON f.item_id = g.id
    WHERE d.id = ANY (ARRAY(SELECT item_id FROM freed)) AND d.id = g.id AND d.state = 'pending'
    RETURNING d.id, d.batch_id, d.missing
), spent AS (
    DELETE FROM document_contents
    WHERE document_id = ANY (ARRAY(SELECT id FROM moved WHERE missing IS NULL))
), scanned AS (
    DELETE FROM scanned_pages WHERE document_id = ANY (ARRAY(SELECT id FROM moved))
), cut AS (
    INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, tokens,
                        language, blank, pinned, sha256, text)
    SELECT m.id, c.ordinal, c.page_from, c.page_to, c.char_start, c.char_end, c.tokens,
           c.language, c.blank, c.pinned, sha256(convert_to(c.text, 'UTF8')), c.text
    FROM jsonb_to_recordset(%(chunks)s) AS c (
        document_id bigint, ordinal integer, page_from integer, page_to integer,
        char_start integer, char_end integer, tokens integer, language text, blank text,
        pinned text, text text)
    JOIN moved m ON m.id = c.document_id
    RETURNING id, document_id, ordinal
), placed AS (
    INSERT INTO page_boxes (document_id, page, char_start, ratio, words)
    SELECT m.id, b.page, b.char_start, b.ratio, decode(b.words, 'base64')
    FROM jsonb_to_recordset(%(boxes)s) AS b (
        document_id bigint, page integer, char_start integer, ratio double precision, words text)
    JOIN moved m ON m.id = b.document_id
)
INSERT INTO jobs (batch_id, local_only, pinned, document_id, chunk_id, ask_id, state,
                  classify_key, task, found_by, found_version, confidence, zone, engine, model,
                  escalation_reason, bulk, tokens, fixed_tokens, language, reason, finished_at)
SELECT m.batch_id, b.local_only, j.pinned, m.id, c.id, j.ask_id, j.state, j.classify_key, j.task,
       j.found_by, j.found_version, j.confidence, j.zone, j.engine, j.model, j.escalation_reason,
       coalesce(j.bulk, false), j.tokens, j.fixed_tokens, j.language, j.reason,
       CASE WHEN j.state = 'skipped' THEN now() END
FROM jsonb_to_recordset(%(jobs)s) AS j (
    document_id bigint, chunk integer, ask_id bigint, state text, classify_key uuid, task text,
    found_by text, found_version text, confidence double precision, zone text, engine text,
    model text, escalation_reason text, bulk boolean, tokens integer, fixed_tokens integer,
    language text, pinned text, reason text)
JOIN moved m ON m.id = j.document_id
JOIN batches b ON b.id = m.batch_id
LEFT JOIN cut c ON c.document_id = m.id AND c.ordinal = j.chunk
ORDER BY j.ask_id, m.id, c.ordinal NULLS FIRST
