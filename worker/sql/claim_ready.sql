-- Lease ready jobs of one queue to this worker and reserve their calls in the ledger, in one
-- statement. The policy is read again here: a local-only job is never handed to the frontier. So is
-- the budget: what is spent and reserved of it leaves room for the jobs claimed, in their order.
WITH free AS (
    SELECT j.id, j.batch_id, b.max_cost_usd,
           sum(j.tokens * p.usd_per_token + p.usd_per_call)
               OVER (PARTITION BY j.batch_id ORDER BY j.id) AS usd,
           p.model IS NOT NULL AS priced
    FROM jobs j
    JOIN batches b ON b.id = j.batch_id AND b.state = 'running'
    LEFT JOIN jsonb_to_recordset(%(prices)s)
        AS p (model text, task text, usd_per_token numeric, usd_per_call numeric)
        ON p.model = j.model AND p.task = j.task
    WHERE j.id = ANY(%(ids)s) AND j.state = 'ready' AND j.queue = %(queue)s
      AND (j.not_before IS NULL OR j.not_before <= now())
      AND (%(queue)s = 'local' OR NOT (b.local_only OR j.local_only))
), spent AS (
    SELECT c.batch_id, sum(coalesce(c.cost_usd, c.reserved_usd)) AS usd
    FROM calls c
    WHERE c.tier = 'frontier'
      AND c.batch_id IN (SELECT batch_id FROM free WHERE max_cost_usd IS NOT NULL)
    GROUP BY c.batch_id
), wanted AS (
    SELECT j.id
    FROM jobs j
    JOIN free f ON f.id = j.id
    LEFT JOIN spent s ON s.batch_id = j.batch_id
    WHERE j.state = 'ready'
      AND (%(queue)s = 'local' OR f.max_cost_usd IS NULL OR %(stand_in)s
           OR (f.priced AND coalesce(s.usd, 0) + f.usd <= f.max_cost_usd))
    FOR UPDATE OF j SKIP LOCKED
), claimed AS (
    UPDATE jobs j
    SET state = 'running', owner = %(owner)s, attempts = j.attempts + 1,
        lease_until = now() + %(lease_s)s * interval '1 second'
    FROM wanted w WHERE j.id = w.id
    RETURNING j.id, j.batch_id, j.local_only, j.document_id, j.chunk_id, j.ask_id, j.task,
              j.queue, j.model, j.tokens, j.language, j.attempts, j.waits, j.kills, j.escalated_from
), reserved AS (
    INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, tier, engine, host,
                       stand_in, model_asked, owner, attempt, reserved_usd)
    SELECT gen_random_uuid(), c.id, c.batch_id, c.local_only, 'run', c.task, c.queue, %(engine)s,
           %(host)s, %(stand_in)s, c.model, %(owner)s, c.attempts,
           c.tokens * p.usd_per_token + p.usd_per_call
    FROM claimed c
    LEFT JOIN jsonb_to_recordset(%(prices)s)
        AS p (model text, task text, usd_per_token numeric, usd_per_call numeric)
        ON p.model = c.model AND p.task = c.task
    RETURNING id, job_id, reserved_usd
)
SELECT c.*, r.id AS call_id, r.reserved_usd,
       CASE WHEN c.chunk_id IS NULL THEN whole.pieces
            ELSE jsonb_build_array(jsonb_build_object('start', k.char_start, 'text', k.text))
       END AS pieces,
       earlier.answers AS earlier
FROM claimed c
JOIN reserved r ON r.job_id = c.id
LEFT JOIN chunks k ON k.id = c.chunk_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('start', char_start, 'text', text) ORDER BY ordinal)
        AS pieces
    FROM chunks WHERE document_id = c.document_id AND blank IS NULL
) whole ON c.chunk_id IS NULL
LEFT JOIN LATERAL (
    -- answers to this very try that arrived but were not yet used: a crash came in between
    SELECT jsonb_object_agg(request_key, jsonb_build_object(
               'call_id', id, 'text', answer, 'finish', finish)) AS answers
    FROM calls WHERE calls.job_id = c.id AND calls.attempt = c.attempts AND calls.state = 'settled'
      AND purpose <> 'classify' AND answer IS NOT NULL AND request_key IS NOT NULL
) earlier ON c.attempts > 1 OR c.waits > 0 OR c.kills > 0
