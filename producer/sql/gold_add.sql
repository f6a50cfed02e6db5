-- Rows of a gold set; one of the same text, ask and schema gets the new answer. What stays whatever
-- is purged goes on to do so.
INSERT INTO gold (name, key, document, split, task, ask, json_schema, text, value, language, model,
                  source, licence, local_only, job_id, added_by)
SELECT %(name)s, decode(key, 'hex'), decode(document, 'hex'), split, task, ask, schema, text, value,
       language, model, source, licence, local_only, job, %(added_by)s
FROM json_to_recordset(%(rows)s) AS r (
    key text, document text, split text, task text, ask text, schema json, text text, value jsonb,
    language text, model text, source text, licence text, local_only boolean, job bigint)
ON CONFLICT (name, key) DO UPDATE
SET value = excluded.value, model = excluded.model, source = excluded.source,
    licence = excluded.licence, local_only = gold.local_only OR excluded.local_only,
    job_id = CASE WHEN gold.job_id IS NOT NULL THEN excluded.job_id END,
    added_by = excluded.added_by, added_at = now()
RETURNING xmax = 0 AS fresh
