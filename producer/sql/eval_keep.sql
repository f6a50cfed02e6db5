-- How right answers to an eval's texts are.
INSERT INTO eval_scores (eval_id, place, key, task, language, is_right, fields, sure, unsure, wrong,
                         cost_usd, latency_ms, output_tokens, engine_seconds)
SELECT %(eval)s, place, decode(key, 'hex'), task, language, is_right, fields, sure, unsure, wrong,
       cost_usd, latency_ms, output_tokens, engine_seconds
FROM jsonb_to_recordset(%(rows)s) AS r (
    place text, key text, task text, language text, is_right boolean, fields jsonb, sure integer,
    unsure integer, wrong integer, cost_usd numeric, latency_ms integer, output_tokens integer,
    engine_seconds double precision)
