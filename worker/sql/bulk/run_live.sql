-- Jobs that this worker took from the line of a bulk, and that are better asked at once: the trigger on
-- jobs puts them into the line in which they run.
WITH freed AS (
    DELETE FROM leases WHERE stage = 'bulk' AND owner = %(owner)s AND item_id = ANY (%(ids)s)
    RETURNING item_id
)
UPDATE jobs SET bulk = false
WHERE id = ANY (ARRAY(SELECT item_id FROM freed)) AND state = 'ready'
