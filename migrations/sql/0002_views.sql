CREATE OR REPLACE VIEW results AS
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
    d.id AS document_id,
    j.pinned,
    c.reused_from
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
        bool_or(stand_in) AS stand_in,
        (array_agg(reused_from) FILTER (WHERE id = w.call_id))[1] AS reused_from
    FROM calls WHERE calls.job_id = j.id AND calls.state <> 'reserved'
) c ON true;

COMMENT ON COLUMN results.pinned IS 'kinds of private data in its text, which keep it on the local engine; NULL: none';
COMMENT ON COLUMN results.reused_from IS 'the call of an identical request whose answer this is; NULL: it was asked anew';

CREATE OR REPLACE VIEW costs_by_model AS
SELECT
    batch_id AS batch,
    model_asked AS model,
    tier,
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
    count(*) FILTER (WHERE state = 'reused') AS reused_answers
FROM calls
WHERE state <> 'reserved'
GROUP BY batch_id, model_asked, tier, stand_in;

COMMENT ON COLUMN costs_by_model.reused_answers IS 'jobs answered from an identical request''s call: no request, no cost';
