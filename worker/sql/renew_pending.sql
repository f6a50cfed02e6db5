UPDATE classifications SET lease_until = now() + %(lease_s)s * interval '1 second'
WHERE owner = %(owner)s AND task IS NULL AND key = ANY(%(ids)s)
RETURNING key AS id
