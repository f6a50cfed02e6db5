-- The view `results` with all that has come to it: jobs and calls that stand in a batch of a provider
-- (0005), what the checks of each value came to (0006), what people made of them.
CREATE OR REPLACE VIEW results AS
SELECT
    d.batch_id AS batch,
    b.name AS batch_name,
    d.path AS document,
    k.ordinal AS chunk,
    CASE WHEN k.id IS NULL THEN ARRAY[1, d.pages] ELSE ARRAY[k.page_from, k.page_to] END AS pages,
    a.label AS ask,
    j.task,
    CASE WHEN j.task IS NOT NULL THEN j.zone END AS tier,
    CASE WHEN j.task IS NOT NULL THEN j.model END AS model,
    s.state,
    CASE WHEN p.rulings IS NULL THEN w.value ELSE docmill_corrected(j.id, w.value) END AS value,
    w.grounded,
    w.spans,
    j.escalated_from,
    j.escalation_reason,
    j.attempts,
    c.cost_usd,
    c.input_tokens,
    c.output_tokens,
    c.latency_ms,
    j.error,
    j.reason,
    j.language,
    c.stand_in,
    j.finished_at,
    j.id AS job,
    d.id AS document_id,
    j.pinned,
    c.reused_from,
    CASE WHEN j.task IS NOT NULL THEN j.engine END AS engine,
    j.chain || CASE WHEN j.task IS NULL THEN '{}'
                    ELSE ARRAY[j.engine || '/' || j.model] END AS chain,
    j.found_by,
    h.code AS held_for,
    h.about AS held_about,
    w.fields,
    p.rulings AS corrected,
    CASE WHEN p.rulings IS NOT NULL THEN w.value END AS answered
FROM jobs j
JOIN job_states s ON s.id = j.id
JOIN batches b ON b.id = j.batch_id
JOIN documents d ON d.id = j.document_id
JOIN asks a ON a.id = j.ask_id
LEFT JOIN chunks k ON k.id = j.chunk_id
LEFT JOIN answers w ON w.job_id = j.id
LEFT JOIN LATERAL (
    -- most answers have none: a look at the key costs less than the function
    SELECT CASE WHEN EXISTS (SELECT FROM corrections WHERE job_id = w.job_id)
                THEN docmill_rulings(w.job_id) END AS rulings
) p ON true
LEFT JOIN LATERAL (
    SELECT code, about FROM docmill_hold(j.batch_id, j.zone, j.engine, j.model)
    WHERE s.state = 'held' LIMIT 1
) h ON true
LEFT JOIN LATERAL (
    SELECT
        CASE WHEN bool_or(cost_usd IS NULL) THEN NULL ELSE sum(cost_usd) END AS cost_usd,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(latency_ms) AS latency_ms,
        bool_or(stand_in) AS stand_in,
        (array_agg(reused_from) FILTER (WHERE id = w.call_id))[1] AS reused_from
    FROM calls
    WHERE calls.state NOT IN ('reserved', 'submitted')
      AND (calls.job_id = j.id OR calls.job_id IN (SELECT id FROM jobs WHERE parent_id = j.id))
) c ON true
WHERE j.parent_id IS NULL;

COMMENT ON COLUMN results.state IS 'pending, ready, running, submitted (in a provider''s batch), done, failed, held, cancelled or skipped';
COMMENT ON COLUMN results.value IS 'the answer, as JSON, with its corrections; NULL unless done';
COMMENT ON COLUMN results.grounded IS 'true: every value of the answer as it was given stands in the source text; NULL: does not apply to this task';
COMMENT ON COLUMN results.fields IS '{field: {outcome, code, about, span, page}}: what each value of the answer as it was given is worth, sure, check or wrong; a value without an entry was not judged; NULL: not checked';
COMMENT ON COLUMN results.corrected IS '{field: {ruling, by, at}}: the values that a person corrected, called absent or confirmed, who and when; NULL: none';
COMMENT ON COLUMN results.answered IS 'the answer as it was given, where a person ruled on it; NULL: value is it';
