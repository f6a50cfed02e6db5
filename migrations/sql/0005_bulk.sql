-- Bulks: batches of providers. A job whose first call goes into one stands in a line of its own (stage
-- `bulk`), then in the bulk, and then, with its answer in the ledger or without, in the line in which
-- it runs as any other.

CREATE FUNCTION docmill_queue(state text, engine text, model text, bulk boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN bulk THEN 'bulk:' || engine || '/' || model
                ELSE docmill_queue(state, engine, model) END
$$;

COMMENT ON FUNCTION docmill_queue(text, text, text, boolean) IS 'the queue of a job that may wait for a bulk';

CREATE FUNCTION docmill_stage(state text, bulk boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN state = 'pending' THEN 'classify' WHEN bulk THEN 'bulk' ELSE 'run' END
$$;

COMMENT ON FUNCTION docmill_stage IS 'the stage that an open job waits for';

CREATE OR REPLACE FUNCTION docmill_enqueue(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH back AS MATERIALIZED (
        SELECT j.id, j.batch_id, j.not_before,
               docmill_stage(j.state, j.bulk) AS stage,
               docmill_queue(j.state, j.engine, j.model, j.bulk) AS queue, j.zone, j.engine, j.model
        FROM jobs j
        WHERE j.id = ANY (ids) AND j.state IN ('pending', 'ready') AND j.open_parts = 0
          AND NOT EXISTS (
              SELECT FROM leases WHERE item_id = ANY (ids) AND item_id = j.id
                  AND stage IN ('classify', 'run', 'bulk') AND stage = docmill_stage(j.state, j.bulk))
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

CREATE OR REPLACE FUNCTION docmill_jobs_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counts (batch_id, what, state, queue, n)
    SELECT batch_id, 'job', state, coalesce(docmill_queue(state, engine, model, bulk), ''), count(*)
    FROM made WHERE parent_id IS NULL
    GROUP BY 1, 3, 4;
    PERFORM docmill_enqueue(ARRAY(SELECT id FROM made WHERE state IN ('pending', 'ready')));
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION docmill_jobs_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM changed) THEN  -- it is called for statements that change nothing, too
        RETURN NULL;
    END IF;
    INSERT INTO counts (batch_id, what, state, queue, n)
    SELECT batch_id, 'job', state, queue, sum(n) FROM (
        SELECT batch_id, CASE WHEN open_parts > 0 THEN 'running' ELSE state END AS state,
               coalesce(docmill_queue(state, engine, model, bulk), '') AS queue, 1 AS n
        FROM changed WHERE parent_id IS NULL
        UNION ALL
        SELECT batch_id, CASE WHEN open_parts > 0 THEN 'running' ELSE state END,
               coalesce(docmill_queue(state, engine, model, bulk), ''), -1
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

CREATE OR REPLACE FUNCTION docmill_is_over(batch bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
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
        -- calls of a cancelled batch are under way until the provider has stopped
        AND NOT EXISTS (SELECT FROM bulks WHERE batch_id = b.id AND open_jobs > 0)
        AND NOT EXISTS (
            SELECT FROM lines l
            CROSS JOIN LATERAL (SELECT FROM leases WHERE line_id = l.id LIMIT 1) something
            WHERE l.batch_id = b.id);
END $$;

-- How many of a bulk's jobs are not back in line: every statement that puts jobs in or takes them out.

CREATE FUNCTION docmill_bulk_jobs_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE bulks b SET open_jobs = b.open_jobs + c.n, requests = b.requests + c.n
        FROM (SELECT bulk_id, count(*) AS n FROM changed GROUP BY bulk_id) c
        WHERE b.id = ANY (ARRAY(SELECT bulk_id FROM changed)) AND b.id = c.bulk_id;
    ELSE
        UPDATE bulks b SET open_jobs = b.open_jobs - c.n
        FROM (SELECT bulk_id, count(*) AS n FROM changed GROUP BY bulk_id) c
        WHERE b.id = ANY (ARRAY(SELECT bulk_id FROM changed)) AND b.id = c.bulk_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER counted_in AFTER INSERT ON bulk_jobs REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_bulk_jobs_changed();
CREATE TRIGGER counted_out AFTER DELETE ON bulk_jobs REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION docmill_bulk_jobs_changed();

-- What is handed in to a provider is under way, as what is reserved.

CREATE OR REPLACE FUNCTION docmill_add_spend(amounts docmill_amount[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO spend (batch_id, day, zone, usd, known_usd, under_way, calls, unknown, lost)
    SELECT * FROM (
        SELECT batch_id, (began AT TIME ZONE 'UTC')::date AS day, zone,
               sum(sign * coalesce(cost_usd, reserved_usd, 0)) AS usd,
               sum(sign * CASE WHEN state IN ('reserved', 'submitted', 'reused') THEN 0
                               ELSE coalesce(cost_usd, 0) END) AS known_usd,
               sum(sign * (state IN ('reserved', 'submitted') AND coalesce(reserved_usd, 0) > 0)::int) AS under_way,
               sum(sign * (state NOT IN ('reserved', 'submitted', 'reused'))::int) AS calls,
               sum(sign * (state NOT IN ('reserved', 'submitted') AND cost_usd IS NULL)::int) AS unknown,
               sum(sign * (state = 'lost')::int) AS lost
        FROM unnest(amounts)
        GROUP BY 1, 2, 3) s
    WHERE (usd, known_usd, under_way, calls, unknown, lost) <> (0, 0, 0, 0, 0, 0)
$$;

CREATE OR REPLACE FUNCTION docmill_calls_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    amounts docmill_amount[] := '{}';
BEGIN
    IF TG_OP <> 'DELETE' THEN
        amounts := ARRAY(
            SELECT (1, batch_id, started_at, zone, state, cost_usd, reserved_usd)::docmill_amount
            FROM changed);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        amounts := amounts || ARRAY(
            SELECT (-1, batch_id, started_at, zone, state, cost_usd, reserved_usd)::docmill_amount
            FROM before
            -- a call that was not made never was; one that is purged leaves its money behind
            WHERE TG_OP = 'UPDATE' OR state IN ('reserved', 'submitted'));
    END IF;
    PERFORM docmill_add_spend(amounts);
    RETURN NULL;
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
        DELETE FROM lines WHERE batch_id = of_batch;
        DELETE FROM holds WHERE batch_id = of_batch;
        DELETE FROM bulks WHERE batch_id = of_batch AND state = 'closed';
        UPDATE batches SET name = NULL, purge_at = NULL WHERE id = of_batch;
    END IF;
    RETURN cardinality(texts) + cardinality(paid) + waited;
END $$;

CREATE OR REPLACE VIEW job_states AS
SELECT
    j.id,
    CASE
        WHEN j.state NOT IN ('pending', 'ready') THEN j.state
        WHEN EXISTS (SELECT FROM leases WHERE stage = 'run' AND item_id = j.id) THEN 'running'
        WHEN j.bulk AND EXISTS (SELECT FROM bulk_jobs WHERE job_id = j.id) THEN 'submitted'
        WHEN b.state = 'cancelled' THEN 'cancelled'
        WHEN docmill_held(j.batch_id, j.zone, j.engine, j.model) THEN 'held'
        WHEN j.open_parts > 0 THEN 'running'
        ELSE j.state
    END AS state
FROM jobs j
JOIN batches b ON b.id = j.batch_id;

COMMENT ON COLUMN job_states.state IS 'pending, ready, running, submitted (in a provider''s batch), done, failed, held, cancelled or skipped';

CREATE OR REPLACE VIEW job_counts AS
WITH shown AS (
    SELECT c.batch_id, c.state, c.queue, c.n, b.state IN ('cancelled', 'purged') AS cancelled,
           l.id IS NOT NULL AND docmill_held(c.batch_id, l.zone, l.engine, l.model) AS held
    FROM (SELECT batch_id, state, queue, sum(n) AS n FROM counts WHERE what = 'job'
          GROUP BY batch_id, state, queue) c
    JOIN batches b ON b.id = c.batch_id
    LEFT JOIN lines l ON l.batch_id = c.batch_id AND l.queue = c.queue
    WHERE c.n > 0
), leased AS NOT MATERIALIZED (
    -- line by line and job by job (OFFSET 0): by their statistics all jobs would be read for it
    SELECT l.batch_id, l.queue, n.n
    FROM lines l
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM leases s
        CROSS JOIN LATERAL (
            SELECT FROM jobs WHERE id = s.item_id AND parent_id IS NULL OFFSET 0) whole
        WHERE s.line_id = l.id AND s.stage = 'run') n
    WHERE l.stage = 'run' AND n.n > 0
), handed AS (
    SELECT b.batch_id, l.queue, sum(b.open_jobs) AS n
    FROM bulks b JOIN lines l ON l.id = b.line_id
    WHERE b.state <> 'closed' AND b.open_jobs > 0 GROUP BY b.batch_id, l.queue
)
SELECT
    s.batch_id AS batch,
    CASE WHEN s.state NOT IN ('pending', 'ready', 'running') THEN s.state
         WHEN s.cancelled THEN 'cancelled' WHEN s.held THEN 'held' ELSE s.state END AS state,
    s.queue,
    s.n - CASE WHEN s.state = 'ready' THEN coalesce(r.n, 0) + coalesce(h.n, 0) ELSE 0 END AS jobs
FROM shown s LEFT JOIN leased r USING (batch_id, queue) LEFT JOIN handed h USING (batch_id, queue)
UNION ALL
SELECT batch_id, 'running', queue, n FROM leased
UNION ALL
SELECT batch_id, 'submitted', queue, n FROM handed;

COMMENT ON COLUMN job_counts.queue IS 'ENGINE/MODEL where they run or ran, classify:ENGINE/MODEL or bulk:ENGINE/MODEL before; empty: neither';

CREATE OR REPLACE VIEW costs_by_model AS
SELECT
    batch_id AS batch,
    model_asked AS model,
    zone AS tier,
    stand_in,
    count(*) FILTER (WHERE state <> 'reused') AS calls,
    sum(input_tokens) AS input_tokens,
    sum(cached_tokens) AS cached_tokens,
    sum(output_tokens) AS output_tokens,
    CASE WHEN bool_and(state = 'reused') THEN 0
         ELSE sum(cost_usd) FILTER (WHERE state <> 'reused') END AS cost_usd,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unknown_price_calls,
    count(*) FILTER (WHERE state = 'lost') AS lost_calls,
    sum(engine_seconds) AS gpu_seconds,
    sum(would_have_cost_usd) AS would_have_cost_usd,
    count(*) FILTER (WHERE state = 'reused') AS reused_answers,
    engine
FROM calls
WHERE state NOT IN ('reserved', 'submitted')
GROUP BY batch_id, model_asked, zone, stand_in, engine;

CREATE OR REPLACE VIEW batch_progress AS
SELECT
    b.id AS batch,
    b.name,
    CASE WHEN b.state = 'running' AND b.submitted_at IS NOT NULL
              AND coalesce(d.waiting, 0) = 0 AND coalesce(j.active, 0) = 0
         THEN 'finished' ELSE b.state END AS state,
    CASE WHEN b.local_only THEN 'local-only' ELSE 'allow-frontier' END AS policy,
    b.priority,
    coalesce(d.total, 0)::bigint AS documents,
    coalesce(d.waiting, 0)::bigint AS documents_waiting,
    coalesce(d.failed, 0)::bigint AS documents_failed,
    coalesce(j.total, 0)::bigint AS jobs,
    coalesce(j.pending, 0)::bigint AS pending,
    coalesce(j.ready, 0)::bigint AS ready,
    coalesce(j.running, 0)::bigint AS running,
    coalesce(j.done, 0)::bigint AS done,
    coalesce(j.failed, 0)::bigint AS failed,
    coalesce(j.held, 0)::bigint AS held,
    coalesce(j.cancelled, 0)::bigint AS cancelled,
    coalesce(j.skipped, 0)::bigint AS skipped,
    b.created_at,
    b.submitted_at,
    b.started_at,
    b.finished_at,
    coalesce(j.submitted, 0)::bigint AS submitted
FROM batches b
LEFT JOIN LATERAL (
    SELECT
        sum(documents) AS total,
        sum(documents) FILTER (WHERE state IN ('pending', 'running')) AS waiting,
        sum(documents) FILTER (WHERE state = 'failed') AS failed
    FROM document_counts WHERE batch = b.id
) d ON true
LEFT JOIN LATERAL (
    SELECT
        sum(jobs) AS total,
        sum(jobs) FILTER (WHERE state IN ('pending', 'ready', 'running', 'submitted')) AS active,
        sum(jobs) FILTER (WHERE state = 'pending') AS pending,
        sum(jobs) FILTER (WHERE state = 'ready') AS ready,
        sum(jobs) FILTER (WHERE state = 'running') AS running,
        sum(jobs) FILTER (WHERE state = 'submitted') AS submitted,
        sum(jobs) FILTER (WHERE state = 'done') AS done,
        sum(jobs) FILTER (WHERE state = 'failed') AS failed,
        sum(jobs) FILTER (WHERE state = 'held') AS held,
        sum(jobs) FILTER (WHERE state = 'cancelled') AS cancelled,
        sum(jobs) FILTER (WHERE state = 'skipped') AS skipped
    FROM job_counts WHERE batch = b.id
) j ON true;

COMMENT ON COLUMN batch_progress.submitted IS 'jobs in a batch of their engine''s provider';
COMMENT ON COLUMN batch_progress.state IS 'running, paused, cancelled, finished (nothing is left to do) or purged';
