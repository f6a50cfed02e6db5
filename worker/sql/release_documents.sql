-- Give back documents that this worker did not get to read.
UPDATE documents
SET state = 'pending', owner = NULL, lease_until = NULL, attempts = attempts - 1
WHERE id = ANY(%(ids)s) AND state = 'running' AND owner = %(owner)s
