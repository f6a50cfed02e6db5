-- What a person has to look at, now that values have scores.

-- How likely a value is wrong, its score says where it has one; else what its check commonly means. A
-- value is for review where it was not accepted, or where nothing is to be accepted, where the checks
-- do not call it sure. What a person has ruled on is none.
CREATE OR REPLACE FUNCTION docmill_harm(of_job bigint, fields jsonb) RETURNS double precision
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(CASE
        WHEN f.found->>'confidence' IS NOT NULL
            THEN greatest(1 - (f.found->>'confidence')::double precision, 0.001)
        WHEN f.found->>'outcome' = 'wrong' THEN 1
        WHEN f.found->>'code' IN ('conflict', 'qualified', 'part', 'ambiguous', 'misread', 'missed')
            THEN 0.5
        WHEN f.found->>'code' IN ('computed', 'reworded') THEN 0.1
        ELSE 0.3 END), 0)
    FROM jsonb_each(CASE WHEN jsonb_typeof(fields) = 'object' THEN fields END) AS f (field, found)
    WHERE coalesce(NOT (f.found->>'accepted')::boolean, f.found->>'outcome' IN ('check', 'wrong'))
      AND NOT EXISTS (
          SELECT FROM corrections c
          WHERE c.job_id = of_job
            AND (c.field = f.field OR starts_with(f.field, c.field || '.')))
$$;

-- The view `results` with all that has come to it: jobs and calls that stand in a batch of a provider
-- (0005), what the checks of each value came to (0006), what people made of them (0009), whether an
-- answer is accepted.
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
    CASE WHEN p.rulings IS NOT NULL THEN w.value END AS answered,
    CASE WHEN jsonb_path_exists(w.fields, '$.*.accepted ? (@ == false)') THEN false
         WHEN jsonb_path_exists(w.fields, '$.*.accepted ? (@ == true)') THEN true END AS accepted,
    w.scored_by
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

COMMENT ON COLUMN results.fields IS '{field: {outcome, code, about, span, page, by, normalised, confidence, accepted}}: what each value of the answer as it was given is worth, sure, check or wrong; the engine and model that it is from; how likely it is right, 0 to 1, and whether it is taken without a look at the error that its batch states; a value without an entry was not judged; NULL: not checked';
COMMENT ON COLUMN results.accepted IS 'true: every value of the answer as it was given that was checked is accepted at the error that its batch states; false: one is for review; NULL: none was stated, or no value checked';
COMMENT ON COLUMN results.scored_by IS 'version of the scores that confidence and accepted go by';
