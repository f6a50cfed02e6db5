-- The calls that a claim reserved and that are not made.
SELECT docmill_drop_calls(ARRAY(
    SELECT c.id FROM leases l
    JOIN calls c ON c.job_id = ANY (ARRAY(SELECT item_id FROM leases WHERE claim = %(claim)s))
        AND c.job_id = l.item_id AND c.owner = l.owner AND c.state = 'reserved'
    WHERE l.claim = %(claim)s AND l.stage <> 'ingest'))
