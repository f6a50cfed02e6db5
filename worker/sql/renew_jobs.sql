-- Keep the leases of what this worker is working on; whatever does not come back is lost to it.
UPDATE jobs SET lease_until = now() + %(lease_s)s * interval '1 second'
WHERE owner = %(owner)s AND state = 'running' AND id = ANY(%(ids)s)
RETURNING id
