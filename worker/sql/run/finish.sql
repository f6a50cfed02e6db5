-- End this worker's hold on jobs: what each comes to, its answer, the parts that it is to be asked in.
-- A job that this worker does not hold any more is left alone, and so are its rows here.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (
        job_id bigint, state text, attempts smallint, waits integer, deaths smallint, delay_s double precision,
        zone text, engine text, model text, step smallint, left_behind text,
        escalated_from text, escalation_reason text, error jsonb,
        value jsonb, grounded boolean, spans jsonb, fields jsonb, scored_by text, call_id uuid, parts jsonb)
), freed AS (
    DELETE FROM leases WHERE stage = 'run' AND owner = %(owner)s
        AND item_id = ANY (ARRAY(SELECT job_id FROM given))
    RETURNING item_id
), moved AS (
    UPDATE jobs j
    SET state = g.state,
        attempts = CASE WHEN g.left_behind IS NOT NULL THEN 0 ELSE j.attempts + g.attempts END,
        waits = j.waits + g.waits,
        deaths = CASE WHEN g.left_behind IS NOT NULL THEN 0 ELSE j.deaths + g.deaths END,
        not_before = now() + g.delay_s * interval '1 second',
        zone = coalesce(g.zone, j.zone),
        engine = coalesce(g.engine, j.engine),
        model = coalesce(g.model, j.model),
        step = coalesce(g.step, j.step),
        chain = CASE WHEN g.left_behind IS NULL THEN j.chain
                     ELSE array_append(j.chain, g.left_behind) END,
        escalated_from = coalesce(g.escalated_from, j.escalated_from),
        escalation_reason = coalesce(g.escalation_reason, j.escalation_reason),
        open_parts = coalesce(jsonb_array_length(g.parts), 0),
        error = g.error,
        finished_at = CASE WHEN g.state IN ('done', 'failed') THEN now() END
    FROM given g JOIN freed f ON f.item_id = g.job_id
    WHERE j.id = ANY (ARRAY(SELECT item_id FROM freed)) AND j.id = g.job_id AND j.state = 'ready'
    RETURNING j.id, j.batch_id, j.local_only, j.pinned, j.document_id, j.ask_id, j.task, j.found_by,
              j.found_version, j.confidence, j.zone, j.engine, j.model, j.step, j.chain, j.fixed_tokens, j.language,
              j.state
), cut AS (
    INSERT INTO jobs (batch_id, local_only, pinned, document_id, ask_id, parent_id, level, first,
                      last, state, task, found_by, found_version, confidence, zone, engine,
                      model, step, chain, tokens, fixed_tokens, language)
    SELECT m.batch_id, m.local_only, m.pinned, m.document_id, m.ask_id, m.id, p.level, p.first,
           p.last, 'ready', m.task, m.found_by, m.found_version, m.confidence, m.zone, m.engine,
           m.model, m.step, m.chain, p.tokens, m.fixed_tokens, m.language
    FROM moved m JOIN given g ON g.job_id = m.id
    CROSS JOIN LATERAL jsonb_to_recordset(g.parts)
        AS p (level smallint, first integer, last integer, tokens integer)
    ORDER BY m.id, p.first
), answered AS (
    INSERT INTO answers (job_id, value, grounded, spans, fields, scored_by, call_id)
    SELECT g.job_id, g.value, g.grounded, g.spans, g.fields, g.scored_by, g.call_id
    FROM given g JOIN moved m ON m.id = g.job_id
    WHERE g.state = 'done'
    ON CONFLICT (job_id) DO NOTHING
)
SELECT id FROM moved
