-- A reviewer gives back what was claimed of a batch.
UPDATE reviews SET reviewer = NULL, until = NULL
WHERE batch_id = %(batch)s AND reviewer = %(reviewer)s
RETURNING job_id AS job
