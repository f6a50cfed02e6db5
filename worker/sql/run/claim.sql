-- The jobs of a claim whose calls are reserved, with the text that each is about and what was found
-- before: by the parts that it was asked in, or by a try that a crash cut off.
SELECT j.id, j.batch_id, j.local_only OR b.local_only OR j.pinned IS NOT NULL AS stays,
       b.allow_provider_batch, j.document_id, j.chunk_id,
       j.ask_id, j.parent_id, j.level, j.task, j.found_by, j.confidence, j.zone, j.engine, j.model,
       j.step, j.tokens, j.language, j.attempts, j.waits, j.deaths, b.configuration_id, s.line_id,
       b.accept_error, coalesce((SELECT max(id) FROM score_models), 0) AS scores,
       shown.version AS gold_version, shown.document AS document_sha256,
       c.id AS call_id,
       CASE WHEN j.chunk_id IS NULL THEN whole.pieces
            ELSE jsonb_build_array(jsonb_build_object(
                'ordinal', k.ordinal, 'start', k.char_start, 'text', k.text, 'beside', false,
                'pages', jsonb_build_array(k.page_from, k.page_to))) END AS pieces,
       parts.found, parts.level AS found_level, parts.broken, earlier.answers AS earlier,
       known.answer AS known, c.reused_from IS NOT NULL AS is_answered,
       CASE WHEN r.job_id IS NOT NULL THEN jsonb_build_object(
           'value', r.value, 'call_id', r.call_id, 'asked', r.asked, 'by', r.by,
           'short_of', r.short_of, 'fields', r.fields) END AS reading
FROM leases s
JOIN jobs j ON j.id = s.item_id AND j.state = 'ready'
JOIN batches b ON b.id = j.batch_id
JOIN calls c ON c.job_id = ANY (ARRAY(SELECT item_id FROM leases WHERE claim = %(claim)s))
    AND c.job_id = j.id AND c.state = 'reserved' AND c.owner = %(owner)s
LEFT JOIN chunks k ON k.id = j.chunk_id
LEFT JOIN LATERAL (
    -- an ask that shows rows of a gold set: as it is now, and which of them are this document's
    SELECT v.version, encode(d.sha256, 'hex') AS document
    FROM asks a
    JOIN gold_versions v ON v.name = a.examples->>'gold'
    JOIN documents d ON d.id = j.document_id
    WHERE a.id = j.ask_id
) shown ON true
LEFT JOIN readings r ON r.job_id = j.id AND r.place = j.engine || '/' || j.model
LEFT JOIN LATERAL (
    -- a part of an extraction: the pieces beside it, too, since a cut may go through a row
    SELECT jsonb_agg(jsonb_build_object('ordinal', ordinal, 'start', char_start, 'text', text,
                                        'beside', coalesce(
                                            ordinal NOT BETWEEN j.first AND j.last, false),
                                        'pages', jsonb_build_array(page_from, page_to))
                     ORDER BY ordinal) AS pieces
    FROM chunks
    WHERE j.chunk_id IS NULL AND j.level < 2 AND document_id = j.document_id AND blank IS NULL
      AND (j.parent_id IS NULL OR ordinal BETWEEN j.first - (j.task = 'extraction')::integer
                                               AND j.last + (j.task = 'extraction')::integer)
) whole ON true
LEFT JOIN LATERAL (
    -- a whole document: its last level of parts; a part of a higher level: those that it sums up
    SELECT p.level, jsonb_agg(jsonb_build_object(
               'part', p.first, 'value', w.value, 'call_id', w.call_id,
               'fields', w.fields, 'spans', w.spans)
                              ORDER BY p.first) AS found,
           (array_agg(p.error) FILTER (WHERE p.state = 'failed'))[1] AS broken
    FROM jobs p LEFT JOIN answers w ON w.job_id = p.id
    WHERE p.parent_id = coalesce(j.parent_id, j.id)
      AND CASE WHEN j.parent_id IS NULL
               THEN p.level = (SELECT max(level) FROM jobs WHERE parent_id = j.id)
               ELSE j.level > 1 AND p.level = j.level - 1 AND p.first BETWEEN j.first AND j.last END
    GROUP BY p.level
) parts ON j.chunk_id IS NULL
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(request_key, jsonb_build_object(
               'call_id', id, 'text', answer, 'finish', finish)) AS answers
    FROM calls WHERE (j.attempts > 0 OR j.waits > 0 OR j.kills > 0)
      AND calls.job_id = j.id AND calls.attempt = j.attempts + 1 AND calls.state = 'settled'
      AND purpose <> 'classify' AND answer IS NOT NULL AND request_key IS NOT NULL
) earlier ON true
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('call_id', w.call_id, 'value', w.value,
                              'would_have_cost_usd', given.would_have_cost_usd::text) AS answer
    FROM calls given JOIN answers w ON w.call_id = given.id AND w.job_id = given.job_id
    WHERE given.id = c.reused_from
) known ON c.reused_from IS NOT NULL
WHERE s.claim = %(claim)s
