-- Say whose copies the documents of an eval's batch are, as far as they are stored.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (path text, key text, gold bigint, job bigint)
), of_eval AS (
    UPDATE evals SET batch_id = %(batch)s WHERE id = %(eval)s RETURNING id
)
INSERT INTO eval_rows (document_id, eval_id, key, gold_id, job_id)
SELECT d.id, e.id, decode(g.key, 'hex'), g.gold, g.job
FROM of_eval e CROSS JOIN documents d JOIN given g ON g.path = d.path
WHERE d.batch_id = %(batch)s
ON CONFLICT (document_id) DO NOTHING
