-- Reserve the calls of the jobs that a claim took, and say of each what stands in its way. The policy
-- is read again here: a local-only job, or one with private data, is never handed to the frontier. So
-- are the budgets: what is spent and reserved leaves room for the jobs claimed, in their order. A job
-- whose answer is known from an identical request is claimed with it and costs nothing; one whose
-- answer another job is about to have waits for it.
WITH mine AS MATERIALIZED (
    SELECT j.id, j.batch_id, j.local_only, j.document_id, j.chunk_id, j.ask_id, j.parent_id, j.task,
           j.zone, j.engine, j.model, j.attempts, j.tokens, j.fixed_tokens, b.max_cost_usd, b.reuse,
           -- its own answer, by its provider's batch or from before a crash: no call is made for it
           (SELECT calls.id FROM calls
            WHERE (j.waits > 0 OR j.kills > 0) AND calls.job_id = j.id
                AND calls.attempt = j.attempts + 1 AND calls.state = 'settled'
                AND calls.purpose = 'run' AND calls.request_key IS NOT NULL LIMIT 1) AS own,
           j.local_only OR b.local_only OR j.pinned IS NOT NULL AS stays,
           EXISTS (SELECT FROM readings WHERE job_id = j.id) AS reads_again,
           c.settings #>> ARRAY['tasks', j.task, 'max_tokens'] AS max_tokens,
           (c.settings #>> ARRAY['prompts', j.task])::integer AS prompt
    FROM leases s
    JOIN jobs j ON j.id = s.item_id AND j.state = 'ready'
    JOIN batches b ON b.id = j.batch_id
    JOIN configurations c ON c.id = b.configuration_id
    WHERE s.claim = %(claim)s
      AND j.id <> ALL (ARRAY(
          SELECT job_id FROM calls
          WHERE job_id = ANY (ARRAY(SELECT item_id FROM leases WHERE claim = %(claim)s))
            AND state = 'reserved' AND owner = %(owner)s))
), texts AS MATERIALIZED (
    SELECT m.id, coalesce(t.sha256, whole.sha256) AS sha256,
           m.stays OR t.pinned IS NOT NULL OR coalesce(whole.pinned, false) AS stays
    FROM mine m
    LEFT JOIN chunks t ON t.id = m.chunk_id
    LEFT JOIN LATERAL (
        SELECT sha256(string_agg(sha256, '' ORDER BY ordinal)) AS sha256,
               bool_or(pinned IS NOT NULL) AS pinned
        FROM chunks
        WHERE m.chunk_id IS NULL AND document_id = m.document_id AND blank IS NULL
    ) whole ON true
), could AS MATERIALIZED (
    SELECT m.*, x.stays AND %(zone)s <> 'local' AS leaves, known.answer, known.coming,
           -- a request that brought no answer once is no longer worth waiting for
           CASE WHEN NOT coalesce(known.asked, false) THEN k.key END AS key,
           CASE WHEN known.answer IS NOT NULL OR m.own IS NOT NULL THEN 0
                -- what its parts said is put together without a call
                WHEN found.bytes IS NOT NULL AND m.task IN ('extraction', 'classification') THEN 0
                ELSE coalesce(
                    %(usd_per_call)s::numeric,
                    (least(m.tokens, found.bytes) + m.fixed_tokens) * %(usd_per_input)s::numeric
                    + m.max_tokens::integer * %(usd_per_output)s::numeric) END AS usd
    FROM mine m
    JOIN texts x ON x.id = m.id
    JOIN asks a ON a.id = m.ask_id
    -- a whole document is asked about what its parts said; no token is less than a byte
    LEFT JOIN LATERAL (
        SELECT sum(octet_length(w.value::text)) AS bytes
        FROM jobs p JOIN answers w ON w.job_id = p.id
        WHERE m.chunk_id IS NULL AND m.parent_id IS NULL AND p.parent_id = m.id
          AND NOT m.reads_again  -- that is asked about the text
          AND p.level = (SELECT max(level) FROM jobs WHERE parent_id = m.id)
    ) found ON true
    LEFT JOIN jsonb_to_recordset(%(versions)s) AS v (task text, prompt integer, version text)
        ON v.task = m.task AND v.prompt IS NOT DISTINCT FROM coalesce(a.prompt, m.prompt)
    LEFT JOIN gold_versions shown ON shown.name = a.examples->>'gold'
    -- a second try or reading asks differently, a part is nobody else's question
    LEFT JOIN LATERAL (
        SELECT encode(substr(sha256(convert_to(concat_ws(E'\x1f', m.zone, %(answerer)s::text,
                   m.model, v.version, m.max_tokens, encode(x.sha256, 'hex'),
                   coalesce(a.json_schema::text, ''), a.text, a.examples::text, shown.version),
                   'UTF8')), 1, 16), 'hex')::uuid AS key
    ) k ON m.reuse AND m.attempts = 0 AND NOT m.reads_again AND m.parent_id IS NULL AND v.version IS NOT NULL
        AND x.sha256 IS NOT NULL
    LEFT JOIN LATERAL (
        SELECT count(*) > 0 AS asked,
               (array_agg(jsonb_build_object(
                   'call_id', w.call_id, 'value', w.value,
                   'would_have_cost_usd', given.would_have_cost_usd::text))
                   FILTER (WHERE given.id IS NOT NULL))[1] AS answer,
               -- its worker died after the answer came: the job will find it when it runs again
               bool_or(w.job_id IS NULL AND o.state = 'ready' AND o.attempts = 0
                       AND o.engine = asked.engine AND o.model = asked.model_asked
                       AND ab.state = 'running') AS coming
        FROM calls asked
        JOIN jobs o ON o.id = asked.job_id AND o.id <> m.id
        JOIN batches ab ON ab.id = o.batch_id
        LEFT JOIN answers w ON w.job_id = o.id
        LEFT JOIN calls given ON given.id = w.call_id
            AND given.zone = asked.zone AND given.model_asked = asked.model_asked
        WHERE asked.answer_key = k.key AND asked.state = 'settled'
    ) known ON k.key IS NOT NULL
), priced AS (
    SELECT *, sum(usd) OVER (PARTITION BY batch_id ORDER BY id) AS of_batch,
           sum(usd) OVER (ORDER BY id) AS of_day
    FROM could
), spent AS MATERIALIZED (
    SELECT batch_id, sum(usd) AS usd, sum(under_way) AS under_way FROM spend
    WHERE zone = 'frontier'
      AND batch_id = ANY (ARRAY(SELECT batch_id FROM could WHERE max_cost_usd IS NOT NULL))
    GROUP BY batch_id
), today AS MATERIALIZED (
    SELECT coalesce(sum(usd), 0) AS usd, coalesce(sum(under_way), 0) AS under_way FROM spend
    WHERE %(usd_per_day)s::numeric IS NOT NULL AND zone = 'frontier'
      AND day = (now() AT TIME ZONE 'UTC')::date
), judged AS MATERIALIZED (
    SELECT p.*, coalesce(s.usd, 0) AS batch_usd, today.usd AS day_usd,
           CASE WHEN p.leaves THEN 'policy'
                WHEN coalesce(p.coming, false) AND p.answer IS NULL THEN 'twin'
                WHEN %(zone)s = 'local' OR %(stand_in)s OR p.answer IS NOT NULL THEN NULL
                WHEN p.max_cost_usd IS NULL AND %(usd_per_day)s::numeric IS NULL THEN NULL
                WHEN p.usd IS NULL THEN 'price'
                WHEN coalesce(s.usd, 0) + p.of_batch > p.max_cost_usd THEN 'batch'
                WHEN today.usd + p.of_day > %(usd_per_day)s::numeric THEN 'day' END AS short_of,
           CASE WHEN coalesce(s.usd, 0) + p.of_batch > p.max_cost_usd
                THEN coalesce(s.under_way, 0) ELSE today.under_way END AS under_way
    FROM priced p CROSS JOIN today LEFT JOIN spent s ON s.batch_id = p.batch_id
), stands AS (
    -- there is an answer already: what no budget covers is not waited for
    UPDATE readings r SET short_of = j.short_of
    FROM judged j
    WHERE r.job_id = j.id AND j.reads_again AND j.short_of IN ('batch', 'day', 'price')
      AND (j.short_of = 'price' OR j.under_way = 0 AND NOT EXISTS (
          SELECT FROM judged k WHERE k.short_of IS NULL AND k.usd > 0
              AND (j.short_of = 'day' OR k.batch_id = j.batch_id)))
    RETURNING r.job_id
), reserved AS (
    INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, zone, engine, kind, host,
                       stand_in, model_asked, owner, attempt, reserved_usd, answer_key, reused_from)
    SELECT docmill_call_id(now()), w.id, w.batch_id, w.local_only, 'run', w.task, w.zone, w.engine,
           %(kind)s, %(host)s, %(stand_in)s, w.model, %(owner)s, w.attempts + 1,
           CASE WHEN w.short_of IS NOT NULL THEN 0
                WHEN %(zone)s <> 'local' AND NOT %(stand_in)s THEN w.usd END, w.key,
           coalesce((w.answer->>'call_id')::uuid, w.own)
    FROM judged w
    -- What is under way is unique by the key of each month's partition. Of two twins on either side
    -- of midnight one is seen here, unless both are claimed in the same few milliseconds.
    WHERE (w.short_of IS NULL OR w.id IN (SELECT job_id FROM stands)) AND NOT EXISTS (
        SELECT FROM calls u WHERE u.answer_key = w.key AND u.state = 'reserved'
            AND u.id < docmill_first_id(date_trunc('month', now(), 'UTC')))
    ORDER BY w.key  -- in one order: two workers never wait for each other
    ON CONFLICT DO NOTHING
    RETURNING job_id
), taken AS MATERIALIZED (
    SELECT batch_id, count(*) AS n FROM judged
    WHERE usd > 0 AND id = ANY (ARRAY(SELECT job_id FROM reserved))
    GROUP BY batch_id
)
SELECT j.id, j.batch_id, j.model, j.answer, coalesce(j.short_of, 'twin') AS short_of,
       -- what is reserved here may give something back, too
       j.under_way + coalesce((
           SELECT sum(n) FROM taken t
           WHERE j.short_of = 'day' OR t.batch_id = j.batch_id), 0)::bigint AS under_way,
       j.usd, j.batch_usd, j.day_usd, j.max_cost_usd,
       j.id = ANY (ARRAY(SELECT job_id FROM reserved)) AS reserved
FROM judged j
ORDER BY j.id
