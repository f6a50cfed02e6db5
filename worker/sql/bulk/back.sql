-- Jobs that stood in a bulk are back in line, with an answer in the ledger or without. Only by the worker
-- that holds the bulk.
WITH mine AS (
    SELECT id FROM bulks WHERE id = %(id)s AND owner = %(owner)s FOR UPDATE
), out AS (
    DELETE FROM bulk_jobs WHERE bulk_id = %(id)s AND call_id = ANY (%(calls)s)
        AND EXISTS (SELECT FROM mine)
    RETURNING job_id
)
UPDATE jobs SET bulk = false, waits = waits + 1
WHERE id = ANY (ARRAY(SELECT job_id FROM out)) AND state = 'ready'
RETURNING id
