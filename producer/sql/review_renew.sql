-- A reviewer is at this answer still, or takes it where nobody is.
UPDATE reviews SET reviewer = %(reviewer)s, until = now() + %(lease_s)s * interval '1 second'
WHERE job_id = %(job)s AND (until IS NULL OR until <= now() OR reviewer = %(reviewer)s)
RETURNING job_id AS job
