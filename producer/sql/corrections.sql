-- What was ruled on a job's answer, the oldest first.
SELECT id, field, ruling, old, new, reviewer, made_at, call_id
FROM corrections WHERE job_id = %(job)s ORDER BY id LIMIT %(most)s
