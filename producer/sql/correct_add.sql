INSERT INTO corrections (job_id, field, path, ruling, old, new, reviewer, call_id)
SELECT job, field, path, ruling, coalesce(old, 'null'), coalesce(new, 'null'), %(reviewer)s, call
FROM jsonb_to_recordset(%(rows)s) AS r (
    job bigint, field text, path text[], ruling text, old jsonb, new jsonb, call uuid)
