-- The next answers of a batch for one reviewer, what that reviewer is at already among them.
UPDATE reviews SET reviewer = %(reviewer)s, until = now() + %(lease_s)s * interval '1 second'
WHERE job_id = ANY (ARRAY(
    SELECT job_id FROM reviews
    WHERE batch_id = %(batch)s
      AND (until IS NULL OR until <= now() OR reviewer = %(reviewer)s)
    ORDER BY skips, harm DESC, job_id LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED))
RETURNING job_id AS job, skips, harm
