-- Write further calls of a job that this worker holds (repair, the next part of a long document)
-- before they are made. Returns the ids that were written; a lost lease writes nothing, nor does
-- a call that the budget does not cover.
INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, tier, engine, host, stand_in,
                   model_asked, owner, attempt, reserved_usd)
SELECT r.id, j.id, j.batch_id, j.local_only, r.purpose, j.task, j.queue, %(engine)s, %(host)s,
       %(stand_in)s, j.model, %(owner)s, j.attempts, r.reserved_usd
FROM jsonb_to_recordset(%(rows)s) AS r (id uuid, job_id bigint, purpose text, reserved_usd numeric)
JOIN jobs j ON j.id = r.job_id AND j.state = 'running' AND j.owner = %(owner)s
JOIN batches b ON b.id = j.batch_id
WHERE j.queue = 'local' OR b.max_cost_usd IS NULL OR b.max_cost_usd >= r.reserved_usd + (
    SELECT coalesce(sum(coalesce(c.cost_usd, c.reserved_usd)), 0)
    FROM calls c WHERE c.batch_id = b.id AND c.tier = 'frontier' AND c.id <> r.id)
-- written already by a try whose connection broke before it could say so
ON CONFLICT (id) DO UPDATE SET owner = excluded.owner
RETURNING id
