-- The next failed jobs of a batch get all their attempts again, and of a whole document those of its
-- parts that failed. Answers that were not good enough must not be taken for answers that were not
-- used yet. The batch is open again with them, and locked: nobody closes it meanwhile.
WITH again AS MATERIALIZED (
    SELECT job_id FROM failed_jobs
    WHERE batch_id = %(batch)s AND (cast(%(reason)s AS text) IS NULL OR category = %(reason)s)
    ORDER BY job_id LIMIT %(most)s
), opened AS (
    UPDATE batches SET state = 'running', finished_at = NULL, purge_at = NULL
    WHERE id = %(batch)s AND state IN ('running', 'finished') AND EXISTS (SELECT FROM again)
), parts AS (
    UPDATE jobs SET state = 'ready', attempts = 0, waits = 0, kills = 0, deaths = 0, not_before = NULL,
        error = NULL, finished_at = NULL
    WHERE parent_id IN (SELECT job_id FROM again) AND state = 'failed'
    RETURNING id, parent_id
), open AS (
    SELECT parent_id, count(*) AS n FROM parts GROUP BY parent_id
), moved AS (
    UPDATE jobs j
    SET state = CASE WHEN j.task IS NULL THEN 'pending' ELSE 'ready' END,
        attempts = 0, waits = 0, kills = 0, deaths = 0, not_before = NULL, finished_at = NULL,
        open_parts = coalesce((SELECT n FROM open WHERE parent_id = j.id), 0)
    WHERE j.id IN (SELECT job_id FROM again) AND j.state = 'failed'
    RETURNING j.id
), forgotten AS (
    UPDATE calls SET request_key = NULL
    WHERE job_id IN (SELECT id FROM moved UNION ALL SELECT id FROM parts)
)
SELECT count(*) AS jobs FROM moved
