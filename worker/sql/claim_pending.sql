-- Of the given pending jobs, one row per distinct (ask, text): either its task type is known from
-- an earlier verdict, or this worker now holds the lease to find it. A pair leased by another
-- worker comes back in neither way.
WITH wanted AS (
    SELECT DISTINCT ON (j.classify_key)
        j.classify_key AS key, j.id, j.batch_id, j.local_only, j.ask_id, j.chunk_id, j.document_id
    FROM jobs j
    JOIN batches b ON b.id = j.batch_id AND b.state = 'running'
    WHERE j.id = ANY(%(ids)s) AND j.state = 'pending'
      AND (j.not_before IS NULL OR j.not_before <= now())
    ORDER BY j.classify_key, j.id
), taken AS (
    INSERT INTO classifications AS c (key, owner, lease_until, attempts)
    SELECT key, %(owner)s, now() + %(lease_s)s * interval '1 second', 1
    FROM wanted ORDER BY key
    ON CONFLICT (key) DO UPDATE
    SET owner = excluded.owner, lease_until = excluded.lease_until, attempts = c.attempts + 1
    WHERE c.task IS NULL AND (c.lease_until IS NULL OR c.lease_until < now())
    RETURNING key, attempts
), reserved AS (
    INSERT INTO calls (id, job_id, batch_id, local_only, purpose, tier, engine, host, stand_in,
                       model_asked, owner, attempt, reserved_usd)
    SELECT docmill_call_id(now()), w.id, w.batch_id, w.local_only, 'classify', 'local', %(engine)s,
           %(host)s, false, %(model)s, %(owner)s, t.attempts, NULL
    FROM wanted w JOIN taken t USING (key)
    RETURNING id, job_id
)
SELECT w.key, w.id, w.batch_id, w.ask_id, t.attempts, r.id AS call_id, known.task,
       CASE WHEN known.task IS NULL THEN left(coalesce(k.text, first.text), 1500) END AS excerpt
FROM wanted w
LEFT JOIN taken t USING (key)
LEFT JOIN reserved r ON r.job_id = w.id
LEFT JOIN classifications known ON known.key = w.key AND known.task IS NOT NULL
LEFT JOIN chunks k ON k.id = w.chunk_id
LEFT JOIN LATERAL (
    SELECT text FROM chunks
    WHERE w.chunk_id IS NULL AND document_id = w.document_id AND blank IS NULL
    ORDER BY ordinal LIMIT 1
) first ON true
WHERE t.key IS NOT NULL OR known.task IS NOT NULL
