-- How work moves, held in one place: which line a job stands in, whether that line is open, and
-- what follows from a change of a job or a document. No statement elsewhere repeats any of it.

CREATE FUNCTION docmill_queue(state text, engine text, model text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN state = 'pending' THEN 'classify:' ELSE '' END || engine || '/' || model
$$;

COMMENT ON FUNCTION docmill_queue IS 'the Celery queue of a job: Queue.name in models/words.py';

CREATE FUNCTION docmill_hold(batch bigint, zone text, engine text, model text) RETURNS SETOF holds
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT h.* FROM holds h
    WHERE (h.batch_id IS NULL OR h.batch_id = $1) AND (h.zone IS NULL OR h.zone = $2)
      AND (h.engine IS NULL OR h.engine = $3) AND (h.model IS NULL OR h.model = $4)
    ORDER BY h.passing, h.id
$$;

COMMENT ON FUNCTION docmill_hold IS 'the holds that concern a line: what a hold leaves NULL is any';

CREATE FUNCTION docmill_held(batch bigint, zone text, engine text, model text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT EXISTS (SELECT FROM docmill_hold(batch, zone, engine, model) WHERE NOT passing)
$$;

COMMENT ON FUNCTION docmill_held IS 'whether a line is held for longer than a moment';

CREATE FUNCTION docmill_line(
    of_batch bigint, in_queue text, in_stage text, in_zone text, of_engine text, of_model text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    SELECT id INTO found FROM lines WHERE batch_id = of_batch AND queue = in_queue;
    IF found IS NULL THEN
        -- the share lock: nobody pauses the batch while its new line is opened
        INSERT INTO lines (batch_id, queue, stage, zone, engine, model, priority, deadline, open)
        SELECT b.id, in_queue, in_stage, in_zone, of_engine, of_model, b.priority, b.deadline,
               b.state = 'running'
               AND NOT EXISTS (SELECT FROM docmill_hold(b.id, in_zone, of_engine, of_model))
        FROM (SELECT * FROM batches WHERE id = of_batch FOR SHARE) b
        ON CONFLICT (batch_id, queue) DO NOTHING RETURNING id INTO found;
        IF found IS NULL THEN
            SELECT id INTO found FROM lines WHERE batch_id = of_batch AND queue = in_queue;
        END IF;
    END IF;
    RETURN found;
END $$;

COMMENT ON FUNCTION docmill_line IS 'a batch''s line in a queue, made when it is first needed';

CREATE FUNCTION docmill_refresh(ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- The locks first. Whoever changed one of these lines has committed by then, and the statement
    -- after it sees what that was for: of two holds that end together the second opens the line.
    PERFORM FROM lines WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    UPDATE lines l SET priority = n.priority, deadline = n.deadline, open = n.open
    FROM (
        SELECT o.id, b.priority, b.deadline, b.state = 'running' AND NOT EXISTS (
            SELECT FROM docmill_hold(o.batch_id, o.zone, o.engine, o.model)) AS open
        FROM lines o JOIN batches b ON b.id = o.batch_id
        WHERE o.id = ANY (ids)
    ) n
    WHERE l.id = n.id AND (l.priority, l.deadline, l.open)
        IS DISTINCT FROM (n.priority, n.deadline, n.open);
END $$;

COMMENT ON FUNCTION docmill_refresh IS 'opens or closes lines, as their batches and holds have it';

CREATE FUNCTION docmill_refresh_lines(of_batch bigint, in_zone text, of_engine text, of_model text)
RETURNS void LANGUAGE sql AS $$
    SELECT docmill_refresh(ARRAY(
        SELECT id FROM lines
        WHERE (of_batch IS NULL OR batch_id = of_batch) AND (in_zone IS NULL OR zone = in_zone)
          AND (of_engine IS NULL OR engine = of_engine) AND (of_model IS NULL OR model = of_model)))
$$;

COMMENT ON FUNCTION docmill_refresh_lines IS 'docmill_refresh of the lines that a change concerns';

CREATE FUNCTION docmill_batch_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM docmill_refresh_lines(NEW.id, NULL, NULL, NULL);
    RETURN NULL;
END $$;

CREATE TRIGGER lines_follow AFTER UPDATE OF state, priority, deadline ON batches
FOR EACH ROW WHEN (
    (OLD.state, OLD.priority, OLD.deadline)
    IS DISTINCT FROM (NEW.state, NEW.priority, NEW.deadline))
EXECUTE FUNCTION docmill_batch_changed();

CREATE FUNCTION docmill_hold_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    h holds := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM docmill_refresh_lines(h.batch_id, h.zone, h.engine, h.model);
    RETURN NULL;
END $$;

CREATE TRIGGER lines_follow AFTER INSERT OR DELETE ON holds
FOR EACH ROW EXECUTE FUNCTION docmill_hold_changed();

-- Jobs. What is written on a row is what changes for good: a claim writes nothing on it, so an open
-- job is only ever updated by who holds its lease and gives it back in the same statement, by `retry`
-- and `reroute`, and when its last part ends. Each of these updates puts it back into its line.

CREATE FUNCTION docmill_enqueue(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH back AS MATERIALIZED (
        SELECT j.id, j.batch_id, j.not_before,
               CASE j.state WHEN 'pending' THEN 'classify' ELSE 'run' END AS stage,
               docmill_queue(j.state, j.engine, j.model) AS queue, j.zone, j.engine, j.model
        FROM jobs j
        WHERE j.id = ANY (ids) AND j.state IN ('pending', 'ready') AND j.open_parts = 0
          AND NOT EXISTS (
              SELECT FROM leases WHERE item_id = ANY (ids) AND item_id = j.id
                  AND stage IN ('classify', 'run') AND stage = CASE j.state WHEN 'pending' THEN 'classify' ELSE 'run' END)
    ), stood AS MATERIALIZED (
        SELECT batch_id, queue, docmill_line(batch_id, queue, stage, zone, engine, model) AS line_id
        FROM (SELECT DISTINCT batch_id, queue, stage, zone, engine, model FROM back
              ORDER BY batch_id, queue) lines
    ), later AS (
        INSERT INTO delayed (line_id, item_id, due_at)
        SELECT line_id, id, not_before FROM back JOIN stood USING (batch_id, queue)
        WHERE not_before > now()
        ON CONFLICT (line_id, item_id) DO UPDATE SET due_at = excluded.due_at
    )
    INSERT INTO waiting (line_id, item_id)
    SELECT line_id, id FROM back JOIN stood USING (batch_id, queue)
    WHERE not_before IS NULL OR not_before <= now()
    ON CONFLICT DO NOTHING
$$;

COMMENT ON FUNCTION docmill_enqueue IS 'puts open jobs into their lines, or behind their moment';

CREATE FUNCTION docmill_jobs_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counts (batch_id, what, state, queue, n)
    SELECT batch_id, 'job', state, coalesce(docmill_queue(state, engine, model), ''), count(*)
    FROM made WHERE parent_id IS NULL
    GROUP BY 1, 3, 4;
    PERFORM docmill_enqueue(ARRAY(SELECT id FROM made WHERE state IN ('pending', 'ready')));
    RETURN NULL;
END $$;

CREATE TRIGGER follow_made AFTER INSERT ON jobs REFERENCING NEW TABLE AS made
FOR EACH STATEMENT EXECUTE FUNCTION docmill_jobs_made();

CREATE FUNCTION docmill_jobs_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM changed) THEN  -- it is called for statements that change nothing, too
        RETURN NULL;
    END IF;
    INSERT INTO counts (batch_id, what, state, queue, n)
    SELECT batch_id, 'job', state, queue, sum(n) FROM (
        SELECT batch_id, CASE WHEN open_parts > 0 THEN 'running' ELSE state END AS state,
               coalesce(docmill_queue(state, engine, model), '') AS queue, 1 AS n
        FROM changed WHERE parent_id IS NULL
        UNION ALL
        SELECT batch_id, CASE WHEN open_parts > 0 THEN 'running' ELSE state END,
               coalesce(docmill_queue(state, engine, model), ''), -1
        FROM before WHERE parent_id IS NULL) c
    GROUP BY 1, 3, 4 HAVING sum(n) <> 0;

    PERFORM docmill_count_jobs_of_documents(
        array_agg(c.document_id), array_agg(c.ended)) FROM (
        SELECT n.document_id,
               sum((n.state IN ('done', 'failed', 'skipped'))::int
                   - (o.state IN ('done', 'failed', 'skipped'))::int)::int AS ended
        FROM changed n JOIN before o USING (id) WHERE n.parent_id IS NULL
        GROUP BY 1) c
    WHERE c.ended <> 0;

    INSERT INTO failed_jobs (job_id, batch_id, category)
    SELECT id, batch_id, coalesce(error->>'category', 'unknown') FROM changed
    WHERE state = 'failed' AND parent_id IS NULL
    ON CONFLICT (job_id) DO UPDATE SET category = excluded.category;
    DELETE FROM failed_jobs f USING changed n JOIN before o USING (id)
    WHERE f.job_id = n.id AND o.state = 'failed' AND n.state <> 'failed';

    -- a part that ended; the last one of its parent puts that back into its line
    UPDATE jobs p SET open_parts = p.open_parts - c.ended
    FROM (SELECT n.parent_id, count(*)::int AS ended
          FROM changed n JOIN before o USING (id)
          WHERE n.parent_id IS NOT NULL AND n.state IN ('done', 'failed')
            AND o.state NOT IN ('done', 'failed')
          GROUP BY 1) c
    WHERE p.id = c.parent_id;

    IF EXISTS (SELECT FROM changed WHERE state IN ('pending', 'ready')) THEN
        PERFORM docmill_enqueue(ARRAY(
            SELECT id FROM changed WHERE state IN ('pending', 'ready')));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION docmill_count_jobs_of_documents(ids bigint[], ended integer[]) RETURNS void
LANGUAGE sql AS $$
    WITH given AS (
        SELECT * FROM unnest(ids, ended) AS g (id, n)
    ), locked AS MATERIALIZED (
        -- in the order of ids: two workers never wait for each other
        SELECT d.id FROM documents d WHERE d.id = ANY (ids) ORDER BY d.id FOR UPDATE
    )
    UPDATE documents d
    SET jobs_finished = d.jobs_finished + g.n,
        state = CASE WHEN d.state NOT IN ('ready', 'done') THEN d.state
                     WHEN d.jobs_finished + g.n >= d.jobs_total THEN 'done' ELSE 'ready' END,
        finished_at = CASE WHEN d.jobs_finished + g.n >= d.jobs_total THEN now() END
    FROM given g JOIN locked l USING (id)
    WHERE d.id = ANY (ids) AND d.id = g.id
$$;

COMMENT ON FUNCTION docmill_count_jobs_of_documents IS 'so many more jobs of each document ended';

CREATE TRIGGER follow_changed AFTER UPDATE ON jobs
REFERENCING OLD TABLE AS before NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_jobs_changed();

-- Documents, in the same way: one that is left or made pending stands in its batch's ingest line.

CREATE FUNCTION docmill_enqueue_documents(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH back AS MATERIALIZED (
        SELECT id, batch_id, not_before FROM documents
        WHERE id = ANY (ids) AND state = 'pending'
    ), stood AS MATERIALIZED (
        SELECT batch_id, docmill_line(batch_id, 'ingest', 'ingest', NULL, NULL, NULL) AS line_id
        FROM (SELECT DISTINCT batch_id FROM back ORDER BY batch_id) lines
    ), later AS (
        INSERT INTO delayed (line_id, item_id, due_at)
        SELECT line_id, id, not_before FROM back JOIN stood USING (batch_id)
        WHERE not_before > now()
        ON CONFLICT (line_id, item_id) DO UPDATE SET due_at = excluded.due_at
    )
    INSERT INTO waiting (line_id, item_id)
    SELECT line_id, id FROM back JOIN stood USING (batch_id)
    WHERE not_before IS NULL OR not_before <= now()
    ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION docmill_documents_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counts (batch_id, what, state, n)
    SELECT batch_id, 'document', state, count(*) FROM made GROUP BY 1, 3;
    PERFORM docmill_enqueue_documents(ARRAY(SELECT id FROM made WHERE state = 'pending'));
    RETURN NULL;
END $$;

CREATE TRIGGER follow_made AFTER INSERT ON documents REFERENCING NEW TABLE AS made
FOR EACH STATEMENT EXECUTE FUNCTION docmill_documents_made();

CREATE FUNCTION docmill_documents_changed() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER follow_changed AFTER UPDATE ON documents
REFERENCING OLD TABLE AS before NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_documents_changed();

-- The end of a batch.

CREATE FUNCTION docmill_is_over(batch bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    b batches;
BEGIN
    SELECT * INTO b FROM batches WHERE id = batch;
    -- leases last: that look passes by all those that a line has had
    RETURN b.finished_at IS NULL
        AND CASE b.state
            WHEN 'cancelled' THEN NOT EXISTS (
                SELECT FROM lines l
                CROSS JOIN LATERAL (
                    (SELECT FROM waiting WHERE line_id = l.id AND xact >= l.head LIMIT 1)
                    UNION ALL (SELECT FROM delayed WHERE line_id = l.id LIMIT 1)) something
                WHERE l.batch_id = b.id)
            WHEN 'running' THEN b.submitted_at IS NOT NULL AND NOT EXISTS (
                SELECT FROM counts t
                WHERE t.batch_id = b.id AND t.state IN ('pending', 'ready', 'running')
                  AND (t.what = 'job' OR t.state = 'pending')
                GROUP BY t.what, t.state, t.queue HAVING sum(t.n) > 0)
            ELSE false END
        AND NOT EXISTS (
            SELECT FROM lines l
            CROSS JOIN LATERAL (SELECT FROM leases WHERE line_id = l.id LIMIT 1) something
            WHERE l.batch_id = b.id);
END $$;

COMMENT ON FUNCTION docmill_is_over IS 'whether an open batch has nothing left to do: no document is waited for or unread, no job is open, no lease is held';

CREATE FUNCTION docmill_close_batches(ids bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    b record;
BEGIN
    -- Whoever gives a batch something to do again has it locked: it is passed over, and what that
    -- was is seen the next time. What was committed before the lock is seen after it.
    FOR b IN
        SELECT id, configuration_id FROM batches WHERE id = ANY (ids) AND docmill_is_over(id)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        CONTINUE WHEN NOT docmill_is_over(b.id);
        DELETE FROM lines WHERE batch_id = b.id;
        UPDATE batches
        SET state = CASE WHEN state = 'cancelled' THEN state ELSE 'finished' END,
            finished_at = now(), started_at = coalesce(started_at, now()),
            purge_at = now() + interval '1 day' * (
                SELECT (settings #>> '{retention,days}')::integer FROM configurations
                WHERE id = b.configuration_id)
        WHERE id = b.id;
        RETURN NEXT b.id;
    END LOOP;
END $$;

COMMENT ON FUNCTION docmill_close_batches IS 'ends those of these batches that are over; their lines go';

-- A submit holds a lock of its own on its batch for as long as it lives: who finds no such lock on a
-- batch that is not whole yet knows that its submit was interrupted.

CREATE FUNCTION docmill_submit_key(of_batch bigint, OUT class integer, OUT item integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 1937072749, (of_batch % 2147483647)::integer
$$;

COMMENT ON FUNCTION docmill_submit_key IS 'the advisory lock of a batch''s submit';

CREATE FUNCTION docmill_begin_submit(of_batch bigint) RETURNS boolean LANGUAGE sql AS $$
    SELECT pg_try_advisory_lock(class, item) FROM docmill_submit_key(of_batch)
$$;

COMMENT ON FUNCTION docmill_begin_submit IS 'takes the lock for this session; false: another one has it';

CREATE FUNCTION docmill_submit_state(of_batch bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN b.submitted_at IS NOT NULL OR b.state IN ('cancelled', 'purged') THEN 'whole'
        WHEN EXISTS (
            SELECT FROM pg_locks l, docmill_submit_key(b.id) k
            WHERE l.locktype = 'advisory' AND l.objsubid = 2
              AND l.classid::bigint = k.class AND l.objid::bigint = k.item
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        THEN 'under way'
        ELSE 'interrupted' END
    FROM batches b WHERE b.id = of_batch
$$;

COMMENT ON FUNCTION docmill_submit_state IS 'SubmitState in models/states.py: whether all documents of a batch are stored';
