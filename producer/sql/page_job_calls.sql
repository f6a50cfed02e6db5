-- A job's rows of the ledger, oldest first.
SELECT purpose, attempt, state, tier, engine, host, stand_in, model_asked, model_answered,
       input_tokens, cached_tokens, output_tokens, cost_usd, cost_reason, price_source, latency_ms,
       finish, reused_from, answer, error, started_at, count(*) OVER () AS calls
FROM calls WHERE job_id = :job ORDER BY started_at, id LIMIT :most
