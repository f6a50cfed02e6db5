-- One page of a batch's results, from the job after :after on. The page is found among the jobs
-- first: the view sums up every job's calls, which only the rows shown are worth.
WITH shown AS (
    SELECT j.id
    FROM jobs j JOIN documents d ON d.id = j.document_id JOIN asks a ON a.id = j.ask_id
    WHERE d.batch_id = %(batch)s AND j.parent_id IS NULL
      AND j.document_id >= coalesce((SELECT document_id FROM jobs WHERE id = %(after)s),
                                    (SELECT min(id) FROM documents WHERE batch_id = %(batch)s))
      AND (cast(%(after)s AS bigint) IS NULL
           OR (j.document_id, j.id) > (SELECT document_id, id FROM jobs WHERE id = %(after)s))
      AND (cast(%(document)s AS text) IS NULL OR d.path = %(document)s
           OR right(d.path, length(%(document)s) + 1) = '/' || %(document)s)
      AND (cast(%(ask)s AS int) IS NULL OR a.ordinal = %(ask)s)
      AND (cast(%(task)s AS text) IS NULL OR j.task = %(task)s)
      AND (cast(%(tier)s AS text) IS NULL OR (j.task IS NOT NULL AND j.zone = %(tier)s))
      AND (cast(%(state)s AS text) IS NULL OR (SELECT state FROM job_states WHERE id = j.id) = %(state)s)
    ORDER BY j.document_id, j.id LIMIT %(most)s
)
SELECT r.batch, r.job, r.document, r.pages, r.ask, r.task, r.tier, r.model, r.state, r.value, r.grounded, r.fields, r.corrected, r.accepted,
       r.escalated_from, r.cost_usd, r.input_tokens, r.output_tokens, r.latency_ms,
       r.error, r.reason, r.stand_in, r.engine, r.held_for, r.held_about
FROM results r WHERE r.job IN (SELECT id FROM shown)
ORDER BY r.document_id, r.job
