-- Jobs that must not run where they were found: no lease, no line, until somebody looks into it.
DELETE FROM leases WHERE stage = %(stage)s AND owner = %(owner)s AND item_id = ANY (%(ids)s)
