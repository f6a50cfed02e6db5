-- Write what calls came to. A call that was given up as lost is found again if its answer turns up;
-- that of a purged job keeps its figures only.
WITH settled AS (
    SELECT * FROM jsonb_to_recordset(%(calls)s) AS s (
        id uuid, state text, model_answered text, cost_usd numeric, cost_reason text,
        price_source text, input_usd_per_mtok numeric, cached_usd_per_mtok numeric,
        output_usd_per_mtok numeric, would_have_cost_usd numeric, input_tokens integer,
        cached_tokens integer, output_tokens integer, reasoning_tokens integer,
        engine_seconds double precision, latency_ms integer, finish text, request_key uuid,
        answer text, reused_from uuid, error jsonb)
)
UPDATE calls c
SET state = s.state,
    finished_at = now(),
    model_answered = s.model_answered,
    cost_usd = CASE WHEN s.state = 'lost' THEN c.reserved_usd ELSE s.cost_usd END,
    cost_reason = CASE WHEN s.state = 'lost' AND c.reserved_usd IS NULL
        THEN 'lost_unknown' ELSE s.cost_reason END,
    price_source = s.price_source,
    input_usd_per_mtok = s.input_usd_per_mtok,
    cached_usd_per_mtok = s.cached_usd_per_mtok,
    output_usd_per_mtok = s.output_usd_per_mtok,
    would_have_cost_usd = s.would_have_cost_usd,
    input_tokens = s.input_tokens,
    cached_tokens = s.cached_tokens,
    output_tokens = s.output_tokens,
    reasoning_tokens = s.reasoning_tokens,
    engine_seconds = s.engine_seconds,
    latency_ms = s.latency_ms,
    finish = s.finish,
    request_key = CASE WHEN c.job_id IS NOT NULL THEN s.request_key END,
    answer = CASE WHEN c.job_id IS NOT NULL THEN s.answer END,
    reused_from = s.reused_from,
    error = CASE WHEN c.job_id IS NOT NULL THEN s.error END
FROM settled s
WHERE c.id = ANY (ARRAY(SELECT id FROM settled)) AND c.id = s.id
    AND c.state IN ('reserved', 'submitted', 'lost')
RETURNING c.id
