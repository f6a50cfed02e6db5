-- Every engine, host and model that saw any text of a batch, lost and refused calls included.
SELECT tier, engine, host, stand_in, model_asked AS model, count(*) AS calls,
       count(*) FILTER (WHERE state = 'lost') AS lost_calls,
       count(DISTINCT job_id) AS jobs, min(started_at) AS first_call, max(started_at) AS last_call,
       encode(sha256(convert_to(string_agg(id::text, ',' ORDER BY id), 'UTF8')), 'hex') AS calls_sha256
FROM calls WHERE batch_id = :batch
GROUP BY tier, engine, host, stand_in, model_asked
ORDER BY tier, host, model_asked
