-- Jobs that this worker took from a line stand in its bulk from now on, and their calls with them: they
-- are nobody's any more. What another one asks already, word for word, stays with this worker. The
-- policy is read again here. Calls are said as what they are not: the index of what is reserved looks so
-- short that all of it would be read.
WITH given AS (
    SELECT * FROM json_to_recordset(%(rows)s) AS r (
        job_id bigint, call_id uuid, request json, request_key uuid, bytes bigint)
), mine AS (
    SELECT b.id FROM bulks b
    JOIN batches of ON of.id = b.batch_id AND of.allow_provider_batch
    WHERE b.id = %(id)s AND b.owner = %(owner)s AND b.state = 'gathering' FOR UPDATE OF b
), ours AS (
    SELECT g.job_id, g.call_id, g.request, g.request_key, g.bytes, c.answer_key
    FROM mine CROSS JOIN given g
    JOIN leases s ON s.stage = 'bulk' AND s.item_id = ANY (ARRAY(SELECT job_id FROM given))
        AND s.item_id = g.job_id AND s.owner = %(owner)s
    JOIN calls c ON c.id = ANY (ARRAY(SELECT call_id FROM given)) AND c.id = g.call_id
        AND c.state NOT IN ('submitted', 'settled', 'refused', 'lost', 'reused')
        AND c.owner = %(owner)s
), put AS (
    INSERT INTO bulk_jobs (job_id, bulk_id, call_id, request, request_key, answer_key)
    SELECT job_id, %(id)s, call_id, request, request_key, answer_key FROM ours ORDER BY job_id
    ON CONFLICT DO NOTHING
    RETURNING job_id, call_id
), freed AS (
    DELETE FROM leases WHERE stage = 'bulk' AND owner = %(owner)s
        AND item_id = ANY (ARRAY(SELECT job_id FROM put))
), handed AS (
    UPDATE calls SET state = 'submitted', owner = %(id)s
    WHERE id = ANY (ARRAY(SELECT call_id FROM put))
        AND state NOT IN ('submitted', 'settled', 'refused', 'lost', 'reused')
), larger AS (
    UPDATE bulks SET bytes = bytes + coalesce((
        SELECT sum(o.bytes) FROM ours o WHERE o.job_id IN (SELECT job_id FROM put)), 0)
    WHERE id = %(id)s AND EXISTS (SELECT FROM mine)
)
SELECT job_id FROM put
