-- Write further calls of a job that this worker holds (repair, the next part of a long document)
-- before they are made. Returns the ids that were written; a lost lease writes nothing.
INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, tier, engine, host, stand_in,
                   model_asked, owner, attempt, reserved_usd)
SELECT r.id, j.id, j.batch_id, j.local_only, r.purpose, j.task, j.queue, %(engine)s, %(host)s,
       %(stand_in)s, j.model, %(owner)s, j.attempts, r.reserved_usd
FROM jsonb_to_recordset(%(rows)s) AS r (id uuid, job_id bigint, purpose text, reserved_usd numeric)
JOIN jobs j ON j.id = r.job_id AND j.state = 'running' AND j.owner = %(owner)s
ON CONFLICT (id) DO NOTHING
RETURNING id
