-- The documents of a batch that ended without a job or are read in part: how many there are in each
-- such state, and the first of them. Those that failed are in failures.sql, by reason.
SELECT 'document' AS kind, c.state, coalesce(d.error->>'category', c.state) AS category, c.n,
       coalesce(d.error->>'message', 'missing: ' || d.gaps) AS message, d.path, false AS retryable
FROM (SELECT state, sum(documents)::bigint AS n FROM document_counts
      WHERE batch = %(batch)s
        AND state IN ('needs_ocr', 'needs_password', 'unsupported', 'skipped', 'partly')
      GROUP BY state HAVING sum(documents) > 0) c
CROSS JOIN LATERAL (
    (SELECT path, error, NULL AS gaps FROM documents
     WHERE batch_id = %(batch)s AND state = c.state
       AND state IN ('failed', 'needs_ocr', 'needs_password', 'skipped', 'unsupported')
     ORDER BY id LIMIT 1)
    UNION ALL
    (SELECT path, NULL, (SELECT string_agg(concat('pages ', g->>'pages', ' (', g->>'why', ')'), '; ')
                         FROM jsonb_array_elements(missing) g)
     FROM documents WHERE batch_id = %(batch)s AND missing IS NOT NULL AND c.state = 'partly'
     ORDER BY id LIMIT 1)) d
ORDER BY c.n DESC, c.state
