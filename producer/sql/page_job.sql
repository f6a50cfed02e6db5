SELECT r.job, r.batch, r.document, r.chunk, r.pages, r.ask, a.text AS ask_text, r.task, r.tier,
       r.model, r.state, r.value, r.grounded, r.spans, r.escalated_from, r.escalation_reason,
       r.attempts, r.cost_usd, r.input_tokens, r.output_tokens, r.latency_ms, r.error, r.reason,
       r.language, r.pinned, r.stand_in, r.finished_at
FROM results r JOIN jobs j ON j.id = r.job JOIN asks a ON a.id = j.ask_id
WHERE r.job = :job AND r.batch = :batch
