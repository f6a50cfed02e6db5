-- How a document stands, and how many stand so. Whether all of it was read is a fact beside its state:
-- one that was read in part goes through `ready` and `done` as any other does, and is shown as `partly`.

CREATE FUNCTION docmill_document_state(state text, missing jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN state IN ('ready', 'done') AND missing IS NOT NULL THEN 'partly' ELSE state END
$$;

COMMENT ON FUNCTION docmill_document_state IS 'a document''s state as it is counted and shown';

CREATE OR REPLACE FUNCTION docmill_documents_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counts (batch_id, what, state, n)
    SELECT batch_id, 'document', docmill_document_state(state, missing), count(*)
    FROM made GROUP BY 1, 3;
    PERFORM docmill_enqueue_documents(ARRAY(SELECT id FROM made WHERE state = 'pending'));
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION docmill_documents_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM changed) THEN
        RETURN NULL;
    END IF;
    INSERT INTO counts (batch_id, what, state, n)
    SELECT batch_id, 'document', state, sum(n) FROM (
        SELECT batch_id, docmill_document_state(state, missing) AS state, 1 AS n FROM changed
        UNION ALL SELECT batch_id, docmill_document_state(state, missing), -1 FROM before) c
    GROUP BY 1, 3 HAVING sum(n) <> 0;
    IF EXISTS (SELECT FROM changed WHERE state = 'pending') THEN
        PERFORM docmill_enqueue_documents(ARRAY(SELECT id FROM changed WHERE state = 'pending'));
    END IF;
    RETURN NULL;
END $$;

COMMENT ON COLUMN document_counts.state IS 'as in documents_status';

CREATE VIEW documents_status AS
SELECT
    d.batch_id AS batch,
    d.path AS document,
    CASE
        WHEN EXISTS (SELECT FROM leases WHERE stage = 'ingest' AND item_id = d.id) THEN 'running'
        WHEN d.missing IS NULL AND d.state IN ('pending', 'ready')
             AND b.state IN ('cancelled', 'purged') THEN 'cancelled'
        ELSE docmill_document_state(d.state, d.missing)
    END AS state,
    d.error->>'category' AS reason,
    d.error->>'message' AS message,
    d.missing,
    d.notes,
    d.media_type,
    d.bytes,
    d.pages,
    d.language,
    d.jobs_total AS jobs,
    d.jobs_finished,
    d.finished_at,
    d.id AS document_id
FROM documents d
JOIN batches b ON b.id = d.batch_id;

COMMENT ON VIEW documents_status IS 'one row per document: what became of it, and what of it was not read';
COMMENT ON COLUMN documents_status.batch IS 'batch id';
COMMENT ON COLUMN documents_status.document IS 'path as submitted';
COMMENT ON COLUMN documents_status.state IS 'pending, running, ready (its jobs are under way), done, partly (read, but for what is missing), needs_ocr, needs_password, unsupported, failed, skipped or cancelled';
COMMENT ON COLUMN documents_status.reason IS 'why it was not read, in one word; NULL: it was';
COMMENT ON COLUMN documents_status.message IS 'the same in words';
COMMENT ON COLUMN documents_status.missing IS '[{why, pages}]: pages that are not in its text; NULL: none';
COMMENT ON COLUMN documents_status.notes IS 'what was odd about it';
COMMENT ON COLUMN documents_status.media_type IS 'what kind of file it is';
COMMENT ON COLUMN documents_status.bytes IS 'its size as submitted';
COMMENT ON COLUMN documents_status.pages IS 'how many it has; NULL: not read';
COMMENT ON COLUMN documents_status.language IS 'ISO 639-1 code of most of its text; NULL: unknown';
COMMENT ON COLUMN documents_status.jobs IS 'jobs that it came to';
COMMENT ON COLUMN documents_status.jobs_finished IS 'of those, ended';
COMMENT ON COLUMN documents_status.finished_at IS 'when nothing of it was left to do';
COMMENT ON COLUMN documents_status.document_id IS 'document id';
