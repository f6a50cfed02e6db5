-- Lease ready jobs of one queue to this worker and reserve their calls in the ledger, in one
-- statement. The policy is read again here: a local-only job, or one with private data, is never
-- handed to the frontier. So are the budgets: what is spent and reserved leaves room for the jobs
-- claimed, in their order. A job whose answer is known from an identical request is claimed with
-- it and costs nothing; one whose answer another job is about to have waits for it.
WITH could AS (
    SELECT j.id, j.batch_id, b.max_cost_usd, known.answer, known.coming,
           -- a request that brought no answer once is no longer worth waiting for
           CASE WHEN NOT coalesce(known.asked, false) THEN k.key END AS key,
           CASE WHEN known.answer IS NULL
                THEN (j.tokens + f.tokens) * p.usd_per_token + p.usd_per_call ELSE 0 END AS usd
    FROM jobs j
    JOIN batches b ON b.id = j.batch_id AND b.state = 'running'
    JOIN asks a ON a.id = j.ask_id
    LEFT JOIN chunks t ON t.id = j.chunk_id
    LEFT JOIN jsonb_to_recordset(%(prices)s)
        AS p (model text, task text, usd_per_token numeric, usd_per_call numeric)
        ON p.model = j.model AND p.task = j.task
    LEFT JOIN jsonb_to_recordset(%(fixed)s) AS f (ask_id bigint, task text, tokens integer)
        ON f.ask_id = j.ask_id AND f.task = j.task
    LEFT JOIN jsonb_to_recordset(%(versions)s) AS v (task text, version text) ON v.task = j.task
    LEFT JOIN LATERAL (
        SELECT CASE WHEN count(sha256) = count(*) THEN sha256(string_agg(sha256, '' ORDER BY ordinal))
               END AS sha256, bool_or(pinned IS NOT NULL) AS pinned
        FROM chunks WHERE j.chunk_id IS NULL AND document_id = j.document_id AND blank IS NULL
    ) whole ON true
    -- a second try asks differently, and a question without all its parts has no key
    LEFT JOIN LATERAL (
        SELECT encode(substr(sha256(convert_to(concat_ws(E'\x1f', j.queue, %(answerer)s::text,
                   j.model, v.version, encode(coalesce(t.sha256, whole.sha256), 'hex'),
                   coalesce(a.json_schema::text, ''), a.text), 'UTF8')), 1, 16), 'hex')::uuid AS key
    ) k ON b.reuse AND j.attempts = 0 AND v.version IS NOT NULL
        AND coalesce(t.sha256, whole.sha256) IS NOT NULL
    LEFT JOIN LATERAL (
        SELECT count(*) > 0 AS asked,
               (array_agg(jsonb_build_object(
                   'call_id', w.call_id, 'value', w.value,
                   'would_have_cost_usd', given.would_have_cost_usd::text))
                   FILTER (WHERE given.id IS NOT NULL))[1] AS answer,
               -- its worker died after the answer came: the job will find it when it runs again
               bool_or(w.job_id IS NULL AND ab.state = 'running'
                   AND (o.state, o.attempts) IN (('running', 1), ('ready', 0))) AS coming
        FROM calls asked
        JOIN jobs o ON o.id = asked.job_id AND o.id <> j.id
        JOIN batches ab ON ab.id = o.batch_id
        LEFT JOIN answers w ON w.job_id = o.id
        LEFT JOIN calls given ON given.id = w.call_id
            AND given.tier = asked.tier AND given.model_asked = asked.model_asked
        WHERE asked.answer_key = k.key AND asked.state = 'settled'
    ) known ON k.key IS NOT NULL
    WHERE j.id = ANY(%(ids)s) AND j.state = 'ready' AND j.queue = %(queue)s
      AND (j.not_before IS NULL OR j.not_before <= now())
      AND (%(queue)s = 'local'
           OR NOT (b.local_only OR j.local_only OR j.pinned IS NOT NULL
                   OR t.pinned IS NOT NULL OR coalesce(whole.pinned, false)))
), priced AS (
    SELECT *, sum(usd) OVER (PARTITION BY batch_id ORDER BY id) AS of_batch,
           sum(usd) OVER (ORDER BY id) AS of_day
    FROM could
), spent AS (
    SELECT c.batch_id, sum(coalesce(c.cost_usd, c.reserved_usd)) AS usd
    FROM calls c
    WHERE c.tier = 'frontier'
      AND c.batch_id IN (SELECT batch_id FROM could WHERE max_cost_usd IS NOT NULL)
    GROUP BY c.batch_id
), today AS (
    SELECT coalesce(sum(coalesce(cost_usd, reserved_usd)), 0) AS usd
    FROM calls
    WHERE %(usd_per_day)s::numeric IS NOT NULL AND tier = 'frontier'
      AND started_at >= date_trunc('day', now(), 'UTC')
), wanted AS (
    SELECT j.*, p.usd, p.answer, p.key, coalesce(p.coming, false) AS coming
    FROM jobs j
    JOIN priced p ON p.id = j.id
    CROSS JOIN today
    LEFT JOIN spent s ON s.batch_id = j.batch_id
    WHERE j.state = 'ready'
      AND (%(queue)s = 'local' OR %(stand_in)s OR p.answer IS NOT NULL
           OR ((p.max_cost_usd IS NULL
                OR (p.usd IS NOT NULL AND coalesce(s.usd, 0) + p.of_batch <= p.max_cost_usd))
               AND (%(usd_per_day)s::numeric IS NULL
                    OR (p.usd IS NOT NULL AND today.usd + p.of_day <= %(usd_per_day)s::numeric))))
    FOR UPDATE OF j SKIP LOCKED
), reserved AS (
    INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, tier, engine, host,
                       stand_in, model_asked, owner, attempt, reserved_usd, answer_key, reused_from)
    SELECT docmill_call_id(now()), w.id, w.batch_id, w.local_only, 'run', w.task, w.queue, %(engine)s,
           %(host)s, %(stand_in)s, w.model, %(owner)s, w.attempts + 1, w.usd, w.key,
           (w.answer->>'call_id')::uuid
    FROM wanted w
    -- What is under way is unique by the key of each month's partition. Of two twins on either side
    -- of midnight one is seen here, unless both are claimed in the same few milliseconds.
    WHERE NOT w.coming AND NOT EXISTS (
        SELECT FROM calls u WHERE u.answer_key = w.key AND u.state = 'reserved'
            AND u.id < docmill_first_id(date_trunc('month', now(), 'UTC')))
    ORDER BY w.key  -- in one order: two workers never wait for each other
    ON CONFLICT DO NOTHING
    RETURNING id, job_id, reserved_usd
), claimed AS (
    UPDATE jobs j
    SET state = 'running', owner = %(owner)s, attempts = j.attempts + 1,
        lease_until = now() + %(lease_s)s * interval '1 second'
    FROM wanted w JOIN reserved r ON r.job_id = w.id
    WHERE j.id = w.id
    RETURNING j.id, j.batch_id, j.local_only, j.pinned, j.document_id, j.chunk_id, j.ask_id, j.task,
              j.queue, j.model, j.tokens, j.language, j.attempts, j.waits, j.kills,
              j.escalated_from, r.id AS call_id, r.reserved_usd
), twins AS (
    UPDATE jobs j SET not_before = now() + interval '0.3 second'
    FROM wanted w WHERE j.id = w.id AND NOT EXISTS (SELECT FROM reserved WHERE job_id = w.id)
)
SELECT c.*, w.answer,
       CASE WHEN c.chunk_id IS NULL THEN whole.pieces
            ELSE jsonb_build_array(jsonb_build_object('start', k.char_start, 'text', k.text))
       END AS pieces,
       earlier.answers AS earlier
FROM claimed c
JOIN wanted w ON w.id = c.id
LEFT JOIN chunks k ON k.id = c.chunk_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('start', char_start, 'text', text) ORDER BY ordinal)
        AS pieces
    FROM chunks WHERE c.chunk_id IS NULL AND document_id = c.document_id AND blank IS NULL
) whole ON true
LEFT JOIN LATERAL (
    -- answers to this very try that arrived but were not yet used: a crash came in between
    SELECT jsonb_object_agg(request_key, jsonb_build_object(
               'call_id', id, 'text', answer, 'finish', finish)) AS answers
    FROM calls WHERE (c.attempts > 1 OR c.waits > 0 OR c.kills > 0)
      AND calls.job_id = c.id AND calls.attempt = c.attempts AND calls.state = 'settled'
      AND purpose <> 'classify' AND answer IS NOT NULL AND request_key IS NOT NULL
) earlier ON true
