-- What was sent of a document stays proved when it is read again: the hashes of its chunks, call by call.

CREATE FUNCTION docmill_sent(job bigint) RETURNS TABLE (id bigint, sha256 bytea) LANGUAGE sql STABLE AS $$
    SELECT t.id, t.sha256 FROM jobs j JOIN chunks t ON t.id = j.chunk_id WHERE j.id = job
    UNION ALL
    SELECT t.id, t.sha256 FROM jobs j JOIN chunks t ON t.document_id = j.document_id
    WHERE j.id = job AND j.chunk_id IS NULL AND t.blank IS NULL
      AND (j.level <> 1 OR t.ordinal BETWEEN j.first AND j.last)
$$;

COMMENT ON FUNCTION docmill_sent IS 'the chunks whose text calls for a job are sent';

CREATE OR REPLACE FUNCTION docmill_replace_documents(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    again record;
    gone bigint;
    asked bigint[];
    n integer := 0;
BEGIN
    FOR again IN
        SELECT d.id, d.replaces, d.state, d.error->>'message' AS message
        FROM documents d
        WHERE d.replaces > 0 AND d.state NOT IN ('pending', 'ready')
          -- looked up one by one: as joins they might be begun with
          AND (SELECT state FROM documents WHERE id = d.replaces) = 'done'
          AND (SELECT count(*) FROM jobs WHERE document_id = d.id AND state = 'failed') = 0
        LIMIT most
        FOR UPDATE SKIP LOCKED
    LOOP
        gone := CASE WHEN again.state = 'done' THEN again.replaces ELSE again.id END;
        -- jobs before their document, as all do that change them: nobody brings one back meanwhile
        asked := ARRAY(SELECT id FROM jobs WHERE document_id = gone FOR UPDATE);
        PERFORM FROM documents WHERE id = again.replaces AND state = 'done' FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        n := n + 1;
        UPDATE documents SET replaces = NULL WHERE id = again.id;
        -- people's rulings and gold stay, and so both documents
        CONTINUE WHEN EXISTS (SELECT FROM corrections WHERE job_id = ANY (asked))
            OR EXISTS (SELECT FROM gold WHERE job_id = ANY (asked));
        IF gone = again.id THEN
            UPDATE documents SET notes = notes || ('read again in vain: ' || again.message)
            WHERE id = again.replaces;
        END IF;
        INSERT INTO sent_chunks (call_id, chunk_id, batch_id, sha256)
        SELECT c.id, t.id, c.batch_id, t.sha256
        FROM calls c CROSS JOIN LATERAL docmill_sent(c.job_id) t
        WHERE c.job_id = ANY (asked) AND c.state <> 'reused';
        UPDATE calls
        SET job_id = NULL, answer = NULL, error = NULL, request_key = NULL, answer_key = NULL
        WHERE job_id = ANY (asked);
        INSERT INTO counts (batch_id, what, state, queue, n)
        SELECT batch_id, 'job', state, coalesce(docmill_queue(state, engine, model, bulk), ''), -count(*)
        FROM jobs WHERE id = ANY (asked) AND parent_id IS NULL
        GROUP BY 1, 3, 4;
        INSERT INTO counts (batch_id, what, state, n)
        SELECT batch_id, 'document', docmill_document_state(state, missing), -1
        FROM documents WHERE id = gone;
        DELETE FROM jobs WHERE id = ANY (asked);
        DELETE FROM documents WHERE id = gone;
    END LOOP;
    RETURN n;
END $$;

CREATE OR REPLACE FUNCTION docmill_purge(of_batch bigint, most integer) RETURNS integer LANGUAGE plpgsql AS $$
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
        DELETE FROM sent_chunks WHERE batch_id = of_batch;
        DELETE FROM lines WHERE batch_id = of_batch;
        DELETE FROM holds WHERE batch_id = of_batch;
        DELETE FROM bulks WHERE batch_id = of_batch AND state = 'closed';
        UPDATE batches SET name = NULL, purge_at = NULL WHERE id = of_batch;
    END IF;
    RETURN cardinality(texts) + cardinality(paid) + waited;
END $$;
