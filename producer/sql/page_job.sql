SELECT r.job, r.batch, r.document, r.chunk, r.pages, r.ask, a.text AS ask_text, r.task, r.tier,
       r.model, r.state, r.value, r.grounded, r.spans, r.fields, r.corrected, r.answered, r.accepted, r.scored_by, r.escalated_from, r.escalation_reason,
       r.attempts, r.cost_usd, r.input_tokens, r.output_tokens, r.latency_ms, r.error, r.reason,
       r.language, r.pinned, r.stand_in, r.engine, r.chain, r.held_for, r.held_about, r.finished_at,
       w.prompt, j.open_parts, (SELECT count(*) FROM jobs WHERE parent_id = j.id) AS parts
FROM results r JOIN jobs j ON j.id = r.job JOIN asks a ON a.id = j.ask_id
LEFT JOIN answers w ON w.job_id = j.id
WHERE r.job = %(job)s AND r.batch = %(batch)s
