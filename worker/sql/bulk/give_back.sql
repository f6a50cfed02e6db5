-- Jobs that stood in a bulk of which nothing was begun are back in line, and their calls never were. Only
-- by the worker that holds the bulk.
WITH mine AS (
    SELECT id FROM bulks WHERE id = %(id)s AND owner = %(owner)s FOR UPDATE
), out AS (
    DELETE FROM bulk_jobs WHERE bulk_id = %(id)s AND call_id = ANY (%(calls)s)
        AND EXISTS (SELECT FROM mine)
    RETURNING job_id, call_id
), back AS (
    UPDATE jobs SET bulk = false
    WHERE id = ANY (ARRAY(SELECT job_id FROM out)) AND state = 'ready'
    RETURNING id
)
SELECT docmill_drop_calls(ARRAY(SELECT call_id FROM out)) FROM (SELECT count(*) FROM back) b
WHERE EXISTS (SELECT FROM out)
