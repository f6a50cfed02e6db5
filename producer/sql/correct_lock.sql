-- Whoever rules on these answers next waits, and then sees what was ruled.
SELECT job_id FROM answers WHERE job_id = ANY (%(jobs)s) ORDER BY job_id FOR NO KEY UPDATE
