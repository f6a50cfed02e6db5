UPDATE documents SET lease_until = now() + %(lease_s)s * interval '1 second'
WHERE owner = %(owner)s AND state = 'running' AND id = ANY(%(ids)s)
RETURNING id
