-- Purging takes everything that a batch's documents, asks and answers said. What it cost stays: as the
-- batch's, or as nobody's where its costs are not kept, so that days and budgets still add up.

CREATE FUNCTION docmill_purge(of_batch bigint, most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    keeps boolean;
    texts bigint[];
    asked bigint[];
    paid uuid[];
    waited integer;
BEGIN
    SELECT keeps_costs INTO keeps FROM batches WHERE id = of_batch AND state = 'purged' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM waiting WHERE ctid = ANY (ARRAY(
        SELECT w.ctid FROM lines l JOIN waiting w ON w.line_id = l.id
        WHERE l.batch_id = of_batch LIMIT most));
    GET DIAGNOSTICS waited = ROW_COUNT;
    DELETE FROM delayed WHERE ctid = ANY (ARRAY(
        SELECT d.ctid FROM lines l JOIN delayed d ON d.line_id = l.id
        WHERE l.batch_id = of_batch LIMIT most));

    texts := ARRAY(SELECT id FROM documents WHERE batch_id = of_batch ORDER BY id LIMIT 100);
    -- parts before the jobs that they are parts of
    asked := ARRAY(SELECT id FROM jobs WHERE document_id = ANY (texts)
                   ORDER BY parent_id NULLS LAST LIMIT most);
    paid := ARRAY(SELECT id FROM calls WHERE job_id = ANY (asked))
        || ARRAY(SELECT id FROM calls WHERE NOT keeps AND batch_id = of_batch LIMIT most);
    UPDATE calls
    SET job_id = NULL, batch_id = CASE WHEN keeps THEN batch_id END, answer = NULL, error = NULL,
        request_key = NULL, answer_key = NULL
    WHERE id = ANY (paid);
    DELETE FROM jobs WHERE id = ANY (asked);
    IF cardinality(asked) < most THEN
        DELETE FROM documents WHERE id = ANY (texts);
    END IF;
    IF cardinality(texts) + cardinality(paid) + waited = 0 THEN
        DELETE FROM asks WHERE batch_id = of_batch;
        DELETE FROM lines WHERE batch_id = of_batch;
        DELETE FROM holds WHERE batch_id = of_batch;
        UPDATE batches SET name = NULL, purge_at = NULL WHERE id = of_batch;
    END IF;
    RETURN cardinality(texts) + cardinality(paid) + waited;
END $$;

COMMENT ON FUNCTION docmill_purge IS 'takes the next block of a purged batch away; how much that was, 0: it is done';
