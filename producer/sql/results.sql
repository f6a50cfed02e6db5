SELECT batch, document, chunk, pages, ask, task, tier, model, state, value, grounded, spans, fields,
       escalated_from, escalation_reason, attempts, cost_usd, input_tokens, output_tokens,
       latency_ms, error, reason, stand_in, engine, chain, job, corrected, answered,
       accepted, scored_by,
       held_for, held_about
FROM results
WHERE (cast(%(batch)s AS bigint) IS NULL OR batch = %(batch)s)
  AND (cast(%(document)s AS text) IS NULL OR document = %(document)s
       OR right(document, length(%(document)s) + 1) = '/' || %(document)s)
  AND (cast(%(ask)s AS text) IS NULL OR ask = %(ask)s)
  AND (cast(%(task)s AS text) IS NULL OR task = %(task)s)
  AND (cast(%(tier)s AS text) IS NULL OR tier = %(tier)s)
  AND (cast(%(state)s AS text) IS NULL OR state = %(state)s)
ORDER BY batch, document_id, chunk NULLS FIRST, job
