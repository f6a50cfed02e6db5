-- What was answered to each text of an eval, beside what is right, with what it took. An answer that
-- was taken from an identical request counts with what it took when it was asked for. What a replayed
-- batch was answered stands beside that, as one more model.
WITH asked AS (
    SELECT r.key, r.gold_id, r.job_id, j.id AS job, a.place AS at,
           a.place || coalesce(' prompt ' || a.prompt, '')
               || coalesce(' examples ' || (a.examples->>'most'), '') AS place
    FROM eval_rows r
    JOIN jobs j ON j.document_id = r.document_id AND j.parent_id IS NULL
        AND j.state IN ('done', 'failed')
    JOIN asks a ON a.id = j.ask_id
        -- text that has to stay in the building was not answered where it was to be
        AND a.place = j.engine || '/' || j.model
    WHERE r.eval_id = %(eval)s
    UNION ALL
    SELECT r.key, r.gold_id, r.job_id, r.job_id, %(then)s, %(then)s
    FROM eval_rows r WHERE r.eval_id = %(eval)s AND r.job_id IS NOT NULL
)
SELECT encode(q.key, 'hex') AS key, q.place, coalesce(g.task, s.task) AS task,
       coalesce(g.language, s.language) AS language,
       coalesce(g.value, docmill_corrected(s.id, known.value)) AS right, w.value AS said,
       f.sure, f.unsure, f.wrong, c.cost_usd, c.latency_ms, c.output_tokens, c.engine_seconds
FROM asked q
LEFT JOIN gold g ON g.id = q.gold_id
LEFT JOIN jobs s ON s.id = q.job_id
LEFT JOIN answers known ON known.job_id = s.id
LEFT JOIN answers w ON w.job_id = q.job
LEFT JOIN calls own ON own.id = w.call_id
LEFT JOIN calls given ON given.id = own.reused_from
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE found->>'outcome' = 'sure') AS sure,
           count(*) FILTER (WHERE found->>'outcome' = 'check') AS unsure,
           count(*) FILTER (WHERE found->>'outcome' = 'wrong') AS wrong
    FROM jsonb_each(CASE WHEN jsonb_typeof(w.fields) = 'object' THEN w.fields END) AS e (field, found)
) f
CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_or(p.cost_usd IS NULL) THEN NULL ELSE sum(p.cost_usd) END AS cost_usd,
           sum(p.latency_ms) FILTER (WHERE p.state = 'settled')::integer AS latency_ms,
           sum(p.output_tokens)::integer AS output_tokens, sum(p.engine_seconds) AS engine_seconds
    FROM calls p
    WHERE p.state IN ('settled', 'refused') AND p.purpose <> 'classify'
      AND (q.at = %(then)s OR q.at = p.engine || '/' || p.model_asked)
      AND p.job_id IN (
          SELECT coalesce(given.job_id, q.job)
          UNION ALL SELECT id FROM jobs WHERE parent_id = coalesce(given.job_id, q.job))
) c
ORDER BY q.place, q.key
