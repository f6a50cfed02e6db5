SELECT batch, document, chunk, pages, ask, task, tier, model, state, value, grounded, spans,
       escalated_from, escalation_reason, attempts, cost_usd, input_tokens, output_tokens,
       latency_ms, error, reason, stand_in
FROM results
WHERE (cast(:batch AS bigint) IS NULL OR batch = :batch)
  AND (cast(:document AS text) IS NULL OR document = :document
       OR right(document, length(:document) + 1) = '/' || :document)
  AND (cast(:ask AS text) IS NULL OR ask = :ask)
  AND (cast(:task AS text) IS NULL OR task = :task)
  AND (cast(:tier AS text) IS NULL OR tier = :tier)
  AND (cast(:state AS text) IS NULL OR state = :state)
ORDER BY batch, document_id, chunk NULLS FIRST, job
