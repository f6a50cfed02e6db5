-- Keep the bulk that this worker is at; no row: it is somebody else's by now.
UPDATE bulks SET until = now() + %(lease_s)s * interval '1 second'
WHERE id = %(id)s AND owner = %(owner)s RETURNING id
