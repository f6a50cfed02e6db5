-- End this worker's hold on jobs: what each comes to, its answer, the parts that it is to be asked in.
-- A job that this worker does not hold any more is left alone, and so are its rows here. Fields are
-- read a second time as far as the batch's cap goes (run/lock_caps came before); beyond it answers
-- stand as they are, and their rows say why.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (
        job_id bigint, state text, attempts smallint, waits integer, deaths smallint, delay_s double precision,
        zone text, engine text, model text, step smallint, left_behind text,
        escalated_from text, escalation_reason text, error jsonb,
        value jsonb, grounded boolean, spans jsonb, fields jsonb, scored_by text, call_id uuid, parts jsonb,
        reading jsonb, mended smallint, prompt jsonb)
), freed AS (
    DELETE FROM leases WHERE stage = 'run' AND owner = %(owner)s
        AND item_id = ANY (ARRAY(SELECT job_id FROM given))
    RETURNING item_id
), wanted AS MATERIALIZED (
    SELECT g.job_id, j.batch_id, r.job_id IS NULL AS is_first, jsonb_array_length(g.reading->'asked') AS asked,
           (g.reading->>'most_usd')::numeric AS usd, (g.reading->>'share')::numeric AS share,
           (g.reading->>'cost_usd')::numeric AS most_usd
    FROM given g
    JOIN freed f ON f.item_id = g.job_id
    JOIN jobs j ON j.id = ANY (ARRAY(SELECT item_id FROM freed)) AND j.id = g.job_id AND j.state = 'ready'
    LEFT JOIN readings r ON r.job_id = g.job_id
    WHERE g.reading IS NOT NULL
), caps AS MATERIALIZED (
    SELECT b.batch_id, coalesce(e.jobs, 0) AS jobs, coalesce(e.usd, 0) AS usd,
           (SELECT sum(n) FROM counts WHERE counts.batch_id = b.batch_id AND what = 'job') AS of_jobs
    FROM (SELECT DISTINCT batch_id FROM wanted) b
    LEFT JOIN escalations e ON e.batch_id = b.batch_id
), judged AS MATERIALIZED (
    SELECT w.*, CASE
        WHEN w.is_first AND c.jobs + sum(w.is_first::int) OVER mine > ceil(w.share * c.of_jobs)
            THEN 'share_cap'
        WHEN w.most_usd IS NOT NULL AND w.usd IS NULL THEN 'no_price'
        WHEN c.usd + sum(w.usd) OVER mine > w.most_usd THEN 'cost_cap' END AS short_of
    FROM wanted w JOIN caps c USING (batch_id)
    WINDOW mine AS (PARTITION BY w.batch_id ORDER BY w.job_id)
), decided AS MATERIALIZED (
    SELECT g.job_id, g.state, g.attempts, g.waits, g.deaths, g.delay_s, g.zone, g.engine, g.model,
           g.step, g.left_behind, g.escalated_from, g.escalation_reason, g.error, g.parts
    FROM given g LEFT JOIN judged s USING (job_id) WHERE s.short_of IS NULL
    UNION ALL
    SELECT g.job_id, 'done', g.attempts, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           s.short_of || ': ' || g.escalation_reason, NULL, NULL
    FROM given g JOIN judged s USING (job_id) WHERE s.short_of IS NOT NULL
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
    FROM decided g
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
    INSERT INTO answers (job_id, value, grounded, spans, fields, scored_by, call_id, prompt)
    SELECT g.job_id, g.value, g.grounded, g.spans, g.fields, g.scored_by, g.call_id, g.prompt
    FROM given g JOIN moved m ON m.id = g.job_id
    WHERE m.state = 'done'
    ON CONFLICT (job_id) DO NOTHING
), ended AS MATERIALIZED (
    -- second readings that this was, and what their calls came to
    SELECT r.job_id, r.batch_id, g.mended, coalesce(c.usd, 0) - coalesce(r.most_usd, 0) AS usd, c.unknown
    FROM given g
    JOIN moved m ON m.id = g.job_id
    JOIN readings r ON r.job_id = g.job_id
    CROSS JOIN LATERAL (
        SELECT sum(cost_usd) AS usd, count(*) FILTER (WHERE cost_usd IS NULL) AS unknown
        FROM calls WHERE calls.job_id = r.job_id AND engine || '/' || model_asked = r.place
            AND calls.state NOT IN ('reserved', 'submitted')) c
    WHERE m.state <> 'ready' OR g.reading IS NOT NULL
), forgotten AS (
    DELETE FROM readings WHERE job_id = ANY (ARRAY(
        SELECT e.job_id FROM ended e JOIN moved m ON m.id = e.job_id WHERE m.state <> 'ready'))
), begun AS (
    INSERT INTO readings (job_id, batch_id, place, value, call_id, asked, by, most_usd, fields)
    SELECT m.id, m.batch_id, m.engine || '/' || m.model, g.value, g.call_id,
           ARRAY(SELECT jsonb_array_elements_text(g.reading->'asked')), g.reading->'by', s.usd,
           g.fields
    FROM moved m JOIN judged s ON s.job_id = m.id JOIN given g ON g.job_id = m.id
    WHERE s.short_of IS NULL
    ON CONFLICT (job_id) DO UPDATE
    SET place = excluded.place, value = excluded.value, call_id = excluded.call_id,
        asked = excluded.asked, by = excluded.by, most_usd = excluded.most_usd, short_of = NULL,
        fields = excluded.fields
), summed AS (
    INSERT INTO escalations AS e (batch_id, jobs, fields, mended, usd, unknown)
    SELECT batch_id, sum(jobs), sum(fields), sum(mended), sum(usd), sum(unknown) FROM (
        SELECT s.batch_id, s.is_first::int AS jobs, s.is_first::int * s.asked AS fields,
               0 AS mended, coalesce(s.usd, 0) AS usd, 0 AS unknown
        FROM judged s JOIN moved m ON m.id = s.job_id WHERE s.short_of IS NULL
        UNION ALL
        SELECT batch_id, 0, 0, mended, usd, unknown FROM ended) changes
    GROUP BY batch_id ORDER BY batch_id
    ON CONFLICT (batch_id) DO UPDATE
    SET jobs = e.jobs + excluded.jobs, fields = e.fields + excluded.fields,
        mended = e.mended + excluded.mended, usd = e.usd + excluded.usd,
        unknown = e.unknown + excluded.unknown
)
SELECT id FROM moved
