-- One page of a batch's results, from the job after :after on. The page is found among the jobs
-- first: the view sums up every job's calls, which only the rows shown are worth.
WITH shown AS (
    SELECT j.id
    FROM jobs j JOIN documents d ON d.id = j.document_id JOIN asks a ON a.id = j.ask_id
    WHERE j.batch_id = :batch
      AND j.document_id >= coalesce((SELECT document_id FROM jobs WHERE id = :after),
                                    (SELECT min(id) FROM documents WHERE batch_id = :batch))
      AND (cast(:after AS bigint) IS NULL
           OR (j.document_id, j.id) > (SELECT document_id, id FROM jobs WHERE id = :after))
      AND (cast(:document AS text) IS NULL OR d.path = :document
           OR right(d.path, length(:document) + 1) = '/' || :document)
      AND (cast(:ask AS int) IS NULL OR a.ordinal = :ask)
      AND (cast(:task AS text) IS NULL OR j.task = :task)
      AND (cast(:tier AS text) IS NULL OR j.queue = :tier)
      AND (cast(:state AS text) IS NULL OR j.state = :state)
    ORDER BY j.document_id, j.id LIMIT :most
)
SELECT r.job, r.document, r.pages, r.ask, r.task, r.tier, r.model, r.state, r.value, r.grounded,
       r.escalated_from, r.cost_usd, r.input_tokens, r.output_tokens, r.latency_ms,
       r.error, r.reason, r.stand_in
FROM results r WHERE r.job IN (SELECT id FROM shown)
ORDER BY r.document_id, r.job
