-- A claim that had to wait for a twin's call to end could not see its answer: the snapshot of a
-- statement is older than what it waits for. This one, later in the same transaction, can.
UPDATE calls c
SET answer_key = NULL, reserved_usd = 0, reused_from = known.call_id
FROM calls m
CROSS JOIN LATERAL (
    SELECT w.call_id, w.value, given.would_have_cost_usd
    FROM calls asked
    JOIN answers w ON w.job_id = asked.job_id
    JOIN calls given ON given.id = w.call_id
        AND given.zone = asked.zone AND given.model_asked = asked.model_asked
    WHERE asked.answer_key = m.answer_key AND asked.state = 'settled' AND asked.job_id <> m.job_id
    LIMIT 1
) known
WHERE m.job_id = ANY (ARRAY(SELECT item_id FROM leases WHERE claim = %(claim)s))
  AND m.state = 'reserved' AND m.owner = %(owner)s AND c.id = m.id
RETURNING c.job_id, jsonb_build_object(
    'call_id', known.call_id, 'value', known.value,
    'would_have_cost_usd', known.would_have_cost_usd::text) AS answer
