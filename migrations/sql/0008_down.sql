DROP VIEW documents_status;

COMMENT ON COLUMN document_counts.state IS 'pending, running, ready, done, failed, cancelled or skipped';

CREATE OR REPLACE FUNCTION docmill_documents_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counts (batch_id, what, state, n)
    SELECT batch_id, 'document', state, count(*) FROM made GROUP BY 1, 3;
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
        SELECT batch_id, state, 1 AS n FROM changed
        UNION ALL SELECT batch_id, state, -1 FROM before) c
    GROUP BY 1, 3 HAVING sum(n) <> 0;
    IF EXISTS (SELECT FROM changed WHERE state = 'pending') THEN
        PERFORM docmill_enqueue_documents(ARRAY(SELECT id FROM changed WHERE state = 'pending'));
    END IF;
    RETURN NULL;
END $$;

DROP FUNCTION docmill_document_state(text, jsonb);
