CREATE VIEW results AS
SELECT
    j.batch_id AS batch,
    b.name AS batch_name,
    d.path AS document,
    k.ordinal AS chunk,
    CASE WHEN k.id IS NULL THEN ARRAY[1, d.pages] ELSE ARRAY[k.page_from, k.page_to] END AS pages,
    a.label AS ask,
    j.task,
    j.queue AS tier,
    j.model,
    j.state,
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
    d.id AS document_id
FROM jobs j
JOIN batches b ON b.id = j.batch_id
JOIN documents d ON d.id = j.document_id
JOIN asks a ON a.id = j.ask_id
LEFT JOIN chunks k ON k.id = j.chunk_id
LEFT JOIN answers w ON w.job_id = j.id
LEFT JOIN LATERAL (
    SELECT
        CASE WHEN bool_or(cost_usd IS NULL) THEN NULL ELSE sum(cost_usd) END AS cost_usd,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(latency_ms) AS latency_ms,
        bool_or(stand_in) AS stand_in
    FROM calls WHERE calls.job_id = j.id AND calls.state <> 'reserved'
) c ON true;

COMMENT ON VIEW results IS 'one row per job: what was asked of which text, the answer, and what it took';
COMMENT ON COLUMN results.batch IS 'batch id, as submit printed it';
COMMENT ON COLUMN results.batch_name IS 'what the user called the batch';
COMMENT ON COLUMN results.document IS 'path as submitted';
COMMENT ON COLUMN results.chunk IS 'number of the chunk in its document, from 1; NULL: the whole document';
COMMENT ON COLUMN results.pages IS 'first and last page, from 1';
COMMENT ON COLUMN results.ask IS 'name of the ask, or its text where it has no name';
COMMENT ON COLUMN results.task IS 'task type: given by the user or found by the classify step; NULL: not classified yet';
COMMENT ON COLUMN results.tier IS 'local or frontier; NULL: not routed yet';
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
COMMENT ON COLUMN results.reason IS 'why the job is held or skipped';
COMMENT ON COLUMN results.language IS 'ISO 639-1 code of the text; NULL: unknown';
COMMENT ON COLUMN results.stand_in IS 'true: the embedded model answered in place of a frontier model';
COMMENT ON COLUMN results.finished_at IS 'when the job ended';
COMMENT ON COLUMN results.job IS 'job id';
COMMENT ON COLUMN results.document_id IS 'document id';

CREATE VIEW costs_by_model AS
SELECT
    batch_id AS batch,
    model_asked AS model,
    tier,
    stand_in,
    count(*) AS calls,
    sum(input_tokens) AS input_tokens,
    sum(cached_tokens) AS cached_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unknown_price_calls,
    count(*) FILTER (WHERE state = 'lost') AS lost_calls,
    sum(engine_seconds) AS gpu_seconds,
    sum(would_have_cost_usd) AS would_have_cost_usd
FROM calls
WHERE state <> 'reserved'
GROUP BY batch_id, model_asked, tier, stand_in;

COMMENT ON VIEW costs_by_model IS 'the ledger summed up by batch and model; calls under way are left out';
COMMENT ON COLUMN costs_by_model.batch IS 'batch id';
COMMENT ON COLUMN costs_by_model.model IS 'model_name that was asked';
COMMENT ON COLUMN costs_by_model.tier IS 'local or frontier';
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

CREATE VIEW batch_progress AS
SELECT
    b.id AS batch,
    b.name,
    b.state,
    CASE WHEN b.local_only THEN 'local-only' ELSE 'allow-frontier' END AS policy,
    b.priority,
    coalesce(d.total, 0) AS documents,
    coalesce(d.waiting, 0) AS documents_waiting,
    coalesce(d.failed, 0) AS documents_failed,
    coalesce(j.total, 0) AS jobs,
    coalesce(j.pending, 0) AS pending,
    coalesce(j.ready, 0) AS ready,
    coalesce(j.running, 0) AS running,
    coalesce(j.done, 0) AS done,
    coalesce(j.failed, 0) AS failed,
    coalesce(j.held, 0) AS held,
    coalesce(j.cancelled, 0) AS cancelled,
    coalesce(j.skipped, 0) AS skipped,
    b.created_at,
    b.started_at,
    b.finished_at
FROM batches b
LEFT JOIN LATERAL (
    SELECT
        count(*) AS total,
        count(*) FILTER (WHERE state IN ('pending', 'running')) AS waiting,
        count(*) FILTER (WHERE state = 'failed') AS failed
    FROM documents WHERE batch_id = b.id
) d ON true
LEFT JOIN LATERAL (
    SELECT
        count(*) AS total,
        count(*) FILTER (WHERE state = 'pending') AS pending,
        count(*) FILTER (WHERE state = 'ready') AS ready,
        count(*) FILTER (WHERE state = 'running') AS running,
        count(*) FILTER (WHERE state = 'done') AS done,
        count(*) FILTER (WHERE state = 'failed') AS failed,
        count(*) FILTER (WHERE state = 'held') AS held,
        count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
        count(*) FILTER (WHERE state = 'skipped') AS skipped
    FROM jobs WHERE batch_id = b.id
) j ON true;

COMMENT ON VIEW batch_progress IS 'one row per batch: how far it is';
COMMENT ON COLUMN batch_progress.batch IS 'batch id';
COMMENT ON COLUMN batch_progress.name IS 'what the user called it';
COMMENT ON COLUMN batch_progress.state IS 'running, paused, cancelled or finished';
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
COMMENT ON COLUMN batch_progress.created_at IS 'when it was submitted';
COMMENT ON COLUMN batch_progress.started_at IS 'when its first document went to a worker';
COMMENT ON COLUMN batch_progress.finished_at IS 'when no job was pending, ready or running any more';
