-- Every engine, host and model that saw any text of a batch, lost and refused calls included, with
-- hashes over what it was sent (the SHA-256 of each chunk's text) and over the calls themselves,
-- each sorted and joined by commas; what was sent of documents that were read again since is among it.
-- Of a purged batch the calls are left, if they were kept.
WITH seen AS (
    SELECT *, zone AS tier, model_asked AS model FROM calls
    WHERE batch_id = %(batch)s AND state <> 'reused'
), texts AS (
    SELECT s.tier, s.engine, s.kind, s.host, s.stand_in, s.model, t.id, t.sha256
    FROM seen s CROSS JOIN LATERAL docmill_sent(s.job_id) t
    UNION
    SELECT s.tier, s.engine, s.kind, s.host, s.stand_in, s.model, t.chunk_id, t.sha256
    FROM seen s JOIN sent_chunks t ON t.call_id = s.id AND t.batch_id = s.batch_id
), hashed AS (
    SELECT tier, engine, kind, host, stand_in, model, count(*) AS chunks,
           encode(sha256(convert_to(string_agg(encode(sha256, 'hex'), ','
               ORDER BY encode(sha256, 'hex')), 'UTF8')), 'hex') AS chunks_sha256
    FROM texts GROUP BY tier, engine, kind, host, stand_in, model
)
SELECT s.tier, s.engine, s.kind, s.host, s.stand_in, s.model, count(*) AS calls,
       count(*) FILTER (WHERE s.state = 'lost') AS lost_calls,
       count(DISTINCT s.job_id) AS jobs, coalesce(h.chunks, 0) AS chunks, h.chunks_sha256,
       encode(sha256(convert_to(string_agg(s.id::text, ',' ORDER BY s.id), 'UTF8')), 'hex')
           AS calls_sha256,
       min(s.started_at) AS first_call, max(s.started_at) AS last_call
FROM seen s
LEFT JOIN hashed h USING (tier, engine, kind, host, stand_in, model)
GROUP BY s.tier, s.engine, s.kind, s.host, s.stand_in, s.model, h.chunks, h.chunks_sha256
ORDER BY s.tier, s.host, s.model
