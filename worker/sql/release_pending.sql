-- Give back (ask, text) pairs that this worker did not classify.
WITH freed AS (
    UPDATE classifications
    SET owner = NULL, lease_until = NULL, attempts = attempts - 1
    WHERE key = ANY(%(ids)s) AND task IS NULL AND owner = %(owner)s
    RETURNING key
)
DELETE FROM calls c USING jobs j, freed f
WHERE j.classify_key = f.key AND c.job_id = j.id AND c.state = 'reserved'
  AND c.purpose = 'classify' AND c.owner = %(owner)s
