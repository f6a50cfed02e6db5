CREATE VIEW job_states AS
SELECT
    j.id,
    CASE
        WHEN j.state NOT IN ('pending', 'ready') THEN j.state
        WHEN EXISTS (SELECT FROM leases WHERE stage = 'run' AND item_id = j.id) THEN 'running'
        WHEN b.state = 'cancelled' THEN 'cancelled'
        WHEN docmill_held(j.batch_id, j.zone, j.engine, j.model) THEN 'held'
        WHEN j.open_parts > 0 THEN 'running'
        ELSE j.state
    END AS state
FROM jobs j
JOIN batches b ON b.id = j.batch_id;

COMMENT ON VIEW job_states IS 'where each job stands: what is written on it, its lease, its batch and the holds';
COMMENT ON COLUMN job_states.id IS 'job id';
COMMENT ON COLUMN job_states.state IS 'pending, ready, running, done, failed, held, cancelled or skipped';

CREATE VIEW job_counts AS
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
)
SELECT
    s.batch_id AS batch,
    CASE WHEN s.state NOT IN ('pending', 'ready', 'running') THEN s.state
         WHEN s.cancelled THEN 'cancelled' WHEN s.held THEN 'held' ELSE s.state END AS state,
    s.queue,
    s.n - CASE WHEN s.state = 'ready' THEN coalesce(r.n, 0) ELSE 0 END AS jobs
FROM shown s LEFT JOIN leased r USING (batch_id, queue)
UNION ALL
SELECT batch_id, 'running', queue, n FROM leased;

COMMENT ON VIEW job_counts IS 'how many jobs of a batch are in each state, by queue; add the rows up';
COMMENT ON COLUMN job_counts.batch IS 'batch id';
COMMENT ON COLUMN job_counts.state IS 'as in job_states';
COMMENT ON COLUMN job_counts.queue IS 'ENGINE/MODEL where they run or ran, classify:ENGINE/MODEL before; empty: neither';
COMMENT ON COLUMN job_counts.jobs IS 'how many';

CREATE VIEW document_counts AS
SELECT
    c.batch_id AS batch,
    CASE WHEN c.state IN ('pending', 'ready') AND b.state IN ('cancelled', 'purged') THEN 'cancelled'
         ELSE c.state END AS state,
    sum(c.n) - CASE WHEN c.state = 'pending' THEN coalesce(min(r.n), 0) ELSE 0 END AS documents
FROM counts c
JOIN batches b ON b.id = c.batch_id
LEFT JOIN LATERAL (
    SELECT count(*) AS n FROM leases s JOIN lines l ON l.id = s.line_id
    WHERE l.batch_id = c.batch_id AND s.stage = 'ingest'
) r ON true
WHERE c.what = 'document'
GROUP BY c.batch_id, c.state, b.state
UNION ALL
SELECT l.batch_id, 'running', count(*) FROM leases s JOIN lines l ON l.id = s.line_id
WHERE s.stage = 'ingest' GROUP BY l.batch_id;

COMMENT ON VIEW document_counts IS 'how many documents of a batch are in each state; add the rows up';
COMMENT ON COLUMN document_counts.batch IS 'batch id';
COMMENT ON COLUMN document_counts.state IS 'pending, running, ready, done, failed, cancelled or skipped';
COMMENT ON COLUMN document_counts.documents IS 'how many';

CREATE VIEW results AS
SELECT
    d.batch_id AS batch,
    b.name AS batch_name,
    d.path AS document,
    k.ordinal AS chunk,
    CASE WHEN k.id IS NULL THEN ARRAY[1, d.pages] ELSE ARRAY[k.page_from, k.page_to] END AS pages,
    a.label AS ask,
    j.task,
    CASE WHEN j.task IS NOT NULL THEN j.zone END AS tier,
    CASE WHEN j.task IS NOT NULL THEN j.model END AS model,
    s.state,
    w.value,
    w.grounded,
    w.spans,
    j.escalated_from,
    j.escalation_reason,
    j.attempts,
    c.cost_usd,
    c.input_tokens,
    c.output_tokens,
    c.latency_ms,
    j.error,
    j.reason,
    j.language,
    c.stand_in,
    j.finished_at,
    j.id AS job,
    d.id AS document_id,
    j.pinned,
    c.reused_from,
    CASE WHEN j.task IS NOT NULL THEN j.engine END AS engine,
    j.chain || CASE WHEN j.task IS NULL THEN '{}'
                    ELSE ARRAY[j.engine || '/' || j.model] END AS chain,
    j.found_by,
    h.code AS held_for,
    h.about AS held_about
FROM jobs j
JOIN job_states s ON s.id = j.id
JOIN batches b ON b.id = j.batch_id
JOIN documents d ON d.id = j.document_id
JOIN asks a ON a.id = j.ask_id
LEFT JOIN chunks k ON k.id = j.chunk_id
LEFT JOIN answers w ON w.job_id = j.id
LEFT JOIN LATERAL (
    SELECT code, about FROM docmill_hold(j.batch_id, j.zone, j.engine, j.model)
    WHERE s.state = 'held' LIMIT 1
) h ON true
LEFT JOIN LATERAL (
    SELECT
        CASE WHEN bool_or(cost_usd IS NULL) THEN NULL ELSE sum(cost_usd) END AS cost_usd,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(latency_ms) AS latency_ms,
        bool_or(stand_in) AS stand_in,
        (array_agg(reused_from) FILTER (WHERE id = w.call_id))[1] AS reused_from
    FROM calls
    WHERE calls.state <> 'reserved'
      AND (calls.job_id = j.id OR calls.job_id IN (SELECT id FROM jobs WHERE parent_id = j.id))
) c ON true
WHERE j.parent_id IS NULL;

COMMENT ON VIEW results IS 'one row per job: what was asked of which text, the answer, and what it took';
COMMENT ON COLUMN results.batch IS 'batch id, as submit printed it';
COMMENT ON COLUMN results.batch_name IS 'what the user called the batch';
COMMENT ON COLUMN results.document IS 'path as submitted';
COMMENT ON COLUMN results.chunk IS 'number of the chunk in its document, from 1; NULL: the whole document';
COMMENT ON COLUMN results.pages IS 'first and last page, from 1';
COMMENT ON COLUMN results.ask IS 'name of the ask, or its text where it has no name';
COMMENT ON COLUMN results.task IS 'task type; NULL: not classified yet';
COMMENT ON COLUMN results.tier IS 'zone of its engine, local or frontier; NULL: not routed yet';
COMMENT ON COLUMN results.model IS 'model_name that it is routed to; stand-in/ in front: the embedded model served the frontier queue';
COMMENT ON COLUMN results.state IS 'pending, ready, running, done, failed, held, cancelled or skipped';
COMMENT ON COLUMN results.value IS 'the answer, as JSON; NULL unless done';
COMMENT ON COLUMN results.grounded IS 'true: every value stands in the source text; NULL: does not apply to this task';
COMMENT ON COLUMN results.spans IS '{field: [start, end]}: where each value stands, in characters of the document''s text';
COMMENT ON COLUMN results.escalated_from IS 'model whose answer was not good enough; NULL: not escalated';
COMMENT ON COLUMN results.escalation_reason IS 'what was wrong with it';
COMMENT ON COLUMN results.attempts IS 'tries of the job itself; waiting for a limit or an engine that is down is none';
COMMENT ON COLUMN results.cost_usd IS 'USD of all its calls; NULL: the price of one of them is not known';
COMMENT ON COLUMN results.input_tokens IS 'prompt tokens of all its calls, cached ones included; NULL: not reported';
COMMENT ON COLUMN results.output_tokens IS 'answer tokens of all its calls; NULL: not reported';
COMMENT ON COLUMN results.latency_ms IS 'milliseconds spent in all its calls';
COMMENT ON COLUMN results.error IS '{category, phase, retryable, message} of the last failure; NULL: none';
COMMENT ON COLUMN results.reason IS 'why the job is skipped';
COMMENT ON COLUMN results.language IS 'ISO 639-1 code of the text; NULL: unknown';
COMMENT ON COLUMN results.stand_in IS 'true: the embedded model answered in place of a frontier model';
COMMENT ON COLUMN results.finished_at IS 'when the job ended';
COMMENT ON COLUMN results.job IS 'job id';
COMMENT ON COLUMN results.document_id IS 'document id';
COMMENT ON COLUMN results.pinned IS 'kinds of private data in its text, which keep it on the local engine; NULL: none';
COMMENT ON COLUMN results.reused_from IS 'the call of an identical request whose answer this is; NULL: it was asked anew';
COMMENT ON COLUMN results.engine IS 'the engine that it is routed to, by its name in the configuration; NULL: not routed yet';
COMMENT ON COLUMN results.chain IS 'ENGINE/MODEL of all that were asked, in order; the last one is the one that it is routed to';
COMMENT ON COLUMN results.found_by IS 'who said which task it is: user, model or fallback';
COMMENT ON COLUMN results.held_for IS 'why the job is held, in one word; NULL: it is not';
COMMENT ON COLUMN results.held_about IS 'figures of that reason';

CREATE VIEW costs_by_model AS
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
WHERE state <> 'reserved'
GROUP BY batch_id, model_asked, zone, stand_in, engine;

COMMENT ON VIEW costs_by_model IS 'the ledger summed up by batch and model; calls under way are left out';
COMMENT ON COLUMN costs_by_model.batch IS 'batch id';
COMMENT ON COLUMN costs_by_model.model IS 'model_name that was asked';
COMMENT ON COLUMN costs_by_model.tier IS 'zone of the engine, local or frontier';
COMMENT ON COLUMN costs_by_model.stand_in IS 'true: the embedded model served the frontier queue';
COMMENT ON COLUMN costs_by_model.calls IS 'requests to the engine, refused and lost ones included';
COMMENT ON COLUMN costs_by_model.input_tokens IS 'prompt tokens as reported, cached ones included';
COMMENT ON COLUMN costs_by_model.cached_tokens IS 'prompt tokens that the engine had cached; NULL: never reported';
COMMENT ON COLUMN costs_by_model.output_tokens IS 'answer tokens as reported';
COMMENT ON COLUMN costs_by_model.cost_usd IS 'sum of the known costs in USD, lost calls with their upper bound; NULL: none is known';
COMMENT ON COLUMN costs_by_model.unknown_price_calls IS 'calls whose cost is not known and not in cost_usd';
COMMENT ON COLUMN costs_by_model.lost_calls IS 'calls whose answer never arrived';
COMMENT ON COLUMN costs_by_model.gpu_seconds IS 'seconds of work by the engine''s own clock; NULL: never reported';
COMMENT ON COLUMN costs_by_model.would_have_cost_usd IS 'estimate: the same tokens at the frontier model''s price';
COMMENT ON COLUMN costs_by_model.reused_answers IS 'jobs answered from an identical request''s call: no request, no cost';
COMMENT ON COLUMN costs_by_model.engine IS 'name of the engine in the configuration';

CREATE VIEW batch_progress AS
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
    b.finished_at
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
        sum(jobs) FILTER (WHERE state IN ('pending', 'ready', 'running')) AS active,
        sum(jobs) FILTER (WHERE state = 'pending') AS pending,
        sum(jobs) FILTER (WHERE state = 'ready') AS ready,
        sum(jobs) FILTER (WHERE state = 'running') AS running,
        sum(jobs) FILTER (WHERE state = 'done') AS done,
        sum(jobs) FILTER (WHERE state = 'failed') AS failed,
        sum(jobs) FILTER (WHERE state = 'held') AS held,
        sum(jobs) FILTER (WHERE state = 'cancelled') AS cancelled,
        sum(jobs) FILTER (WHERE state = 'skipped') AS skipped
    FROM job_counts WHERE batch = b.id
) j ON true;

COMMENT ON VIEW batch_progress IS 'one row per batch: how far it is';
COMMENT ON COLUMN batch_progress.batch IS 'batch id';
COMMENT ON COLUMN batch_progress.name IS 'what the user called it';
COMMENT ON COLUMN batch_progress.state IS 'running, paused, cancelled, finished (nothing is pending, ready or running) or purged';
COMMENT ON COLUMN batch_progress.policy IS 'allow-frontier or local-only';
COMMENT ON COLUMN batch_progress.priority IS 'higher runs first';
COMMENT ON COLUMN batch_progress.documents IS 'documents submitted';
COMMENT ON COLUMN batch_progress.documents_waiting IS 'documents not read yet; their jobs are not counted yet';
COMMENT ON COLUMN batch_progress.documents_failed IS 'documents that could not be read';
COMMENT ON COLUMN batch_progress.jobs IS 'jobs of the documents read so far';
COMMENT ON COLUMN batch_progress.pending IS 'jobs waiting to be classified';
COMMENT ON COLUMN batch_progress.ready IS 'jobs waiting for a slot';
COMMENT ON COLUMN batch_progress.running IS 'jobs at an engine now';
COMMENT ON COLUMN batch_progress.done IS 'jobs answered';
COMMENT ON COLUMN batch_progress.failed IS 'jobs given up, with their reason; docmill retry brings them back';
COMMENT ON COLUMN batch_progress.held IS 'jobs waiting for a person or a budget';
COMMENT ON COLUMN batch_progress.cancelled IS 'jobs cancelled';
COMMENT ON COLUMN batch_progress.skipped IS 'jobs of blank chunks';
COMMENT ON COLUMN batch_progress.created_at IS 'when its submit began';
COMMENT ON COLUMN batch_progress.submitted_at IS 'when its last document was stored; NULL: not yet';
COMMENT ON COLUMN batch_progress.started_at IS 'when its first document went to a worker';
COMMENT ON COLUMN batch_progress.finished_at IS 'when nothing of it was left to do';
