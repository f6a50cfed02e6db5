-- Answers as they stand, with what a correction has to go by.
SELECT j.id AS job, j.batch_id AS batch, docmill_corrected(j.id, w.value) AS value, w.fields,
       a.json_schema AS schema, w.call_id AS call, docmill_rulings(j.id) AS rulings,
       coalesce((SELECT max(id) FROM corrections WHERE job_id = j.id), 0) AS last,
       (SELECT reviewer FROM reviews WHERE job_id = j.id AND until > now()) AS claimed_by
FROM answers w
JOIN jobs j ON j.id = w.job_id AND j.parent_id IS NULL
JOIN asks a ON a.id = j.ask_id
WHERE w.job_id = ANY (%(jobs)s)
