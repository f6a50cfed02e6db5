-- The batches in which something was counted since.
SELECT batch_id AS id, max(id) AS last
FROM (SELECT batch_id, id FROM counts WHERE NOT folded AND id > %(after)s ORDER BY id LIMIT 5000) c
GROUP BY batch_id
