SELECT place, key, task, language, is_right, fields, sure, unsure, wrong, cost_usd, latency_ms,
       output_tokens, engine_seconds
FROM eval_scores WHERE eval_id = %(eval)s
ORDER BY task, place, key
