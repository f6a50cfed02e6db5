-- Put off by whoever is at it: it comes after all that were put off less often.
UPDATE reviews SET skips = least(skips + 1, 1000), reviewer = NULL, until = NULL
WHERE job_id = %(job)s AND (until IS NULL OR until <= now() OR reviewer = %(reviewer)s)
RETURNING job_id AS job
