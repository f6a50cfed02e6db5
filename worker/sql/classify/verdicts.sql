-- What was found of asks. A verdict stays; a try that brought none frees its ask, and counts as an
-- attempt or as a wait.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS g (
        key uuid, job_id bigint, task text, found_by text, found_version text,
        confidence double precision,
        attempts smallint, waits integer, deaths smallint)
)
UPDATE classifications c
SET task = g.task, found_by = g.found_by, found_version = g.found_version,
    confidence = g.confidence, job_id = NULL, attempts = c.attempts + g.attempts, waits = c.waits + g.waits,
    deaths = c.deaths + g.deaths
FROM given g
WHERE c.key = ANY (ARRAY(SELECT key FROM given)) AND c.key = g.key AND c.task IS NULL
  AND c.job_id = g.job_id
