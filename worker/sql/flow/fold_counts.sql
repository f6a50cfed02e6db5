-- Fold changes of counts into one row each. What is younger than 20 s stays apart: it says how fast a
-- batch goes. The batches that it concerns come back: they may have ended.
WITH gone AS (
    DELETE FROM counts WHERE id = ANY (ARRAY(
        SELECT id FROM (
            SELECT id, at FROM counts WHERE NOT folded AND id > %(after)s
            ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED) next
        WHERE at < now() - interval '20 seconds'))
    RETURNING id, batch_id, what, state, queue, n, at
), kept AS (
    INSERT INTO counts (batch_id, what, state, queue, n, at, folded)
    SELECT batch_id, what, state, queue, sum(n), max(at), true FROM gone GROUP BY 1, 2, 3, 4
    ON CONFLICT (batch_id, what, state, queue) WHERE folded
    DO UPDATE SET n = counts.n + excluded.n, at = greatest(counts.at, excluded.at)
)
SELECT max(id) AS last, count(*) AS n FROM gone
