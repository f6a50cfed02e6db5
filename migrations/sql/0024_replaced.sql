-- A document of which something is missing is read again as another one, beside it. Once all of that is
-- done the first one goes, with its jobs; where it was not read, that one goes. What calls for them cost
-- stays in the ledger.

CREATE FUNCTION docmill_replace_documents(most integer) RETURNS integer LANGUAGE plpgsql AS $$
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

COMMENT ON FUNCTION docmill_replace_documents IS 'documents that were read again take the place of what was read before';
