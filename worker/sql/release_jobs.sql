-- Give back jobs whose call was not made: no attempt, no trace in the ledger.
WITH freed AS (
    UPDATE jobs
    SET state = 'ready', owner = NULL, lease_until = NULL, attempts = attempts - 1
    WHERE id = ANY(%(ids)s) AND state = 'running' AND owner = %(owner)s
    RETURNING id
)
DELETE FROM calls c USING freed f
WHERE c.job_id = f.id AND c.state = 'reserved' AND c.owner = %(owner)s
