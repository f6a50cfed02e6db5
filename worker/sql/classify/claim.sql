-- The jobs that a claim took, with what is known of the ask of each: its verdict, or whether this worker
-- is to find it. An ask that another worker is at comes back in neither way.
WITH taken AS MATERIALIZED (
    SELECT j.id, j.batch_id, j.classify_key AS key, j.ask_id, j.chunk_id, j.document_id, j.language,
           j.tokens, j.model, j.local_only, j.pinned IS NOT NULL AS pinned, s.line_id
    FROM leases s JOIN jobs j ON j.id = s.item_id
    WHERE s.claim = %(claim)s AND j.state = 'pending'
), asked AS (
    INSERT INTO classifications AS c (key, job_id)
    SELECT DISTINCT ON (key) key, id FROM taken ORDER BY key, id
    ON CONFLICT (key) DO UPDATE SET job_id = excluded.job_id
    WHERE c.task IS NULL AND (c.job_id IS NULL OR c.job_id = excluded.job_id OR NOT EXISTS (
        SELECT FROM leases WHERE stage = 'classify' AND item_id = c.job_id AND until > now()))
    RETURNING key, job_id, attempts, waits, deaths
), under_way AS MATERIALIZED (
    -- by a claim whose answer was lost
    SELECT id, job_id FROM calls
    WHERE job_id = ANY (ARRAY(SELECT id FROM taken)) AND state = 'reserved' AND owner = %(owner)s
), reserved AS (
    INSERT INTO calls (id, job_id, batch_id, local_only, purpose, zone, engine, kind, host, stand_in,
                       model_asked, owner, attempt, reserved_usd)
    SELECT docmill_call_id(now()), t.id, t.batch_id, t.local_only, 'classify', 'local', %(engine)s,
           %(kind)s, %(host)s, false, %(model)s, %(owner)s, a.attempts + 1, NULL
    FROM taken t JOIN asked a ON a.job_id = t.id
    WHERE t.id <> ALL (ARRAY(SELECT job_id FROM under_way))
    RETURNING id, job_id
)
SELECT t.*, b.configuration_id, b.allow_provider_batch, known.task, known.found_by, known.found_version,
       known.confidence,
       a.job_id IS NOT NULL AS to_ask, a.attempts, a.waits, a.deaths,
       coalesce(r.id, c.id) AS call_id,
       coalesce((SELECT max(id) FROM learned_models), 0) AS learned_model
FROM taken t
JOIN batches b ON b.id = t.batch_id
LEFT JOIN asked a ON a.job_id = t.id
LEFT JOIN reserved r ON r.job_id = t.id
LEFT JOIN under_way c ON c.job_id = t.id
LEFT JOIN classifications known ON known.key = t.key AND known.task IS NOT NULL
