-- What does not change while a batch runs: its asks, budget and birth.
SELECT b.created_at, b.max_cost_usd,
       (SELECT jsonb_agg(jsonb_build_object('number', ordinal, 'label', label, 'text', text,
                                            'task', task, 'scope', scope) ORDER BY ordinal)
        FROM asks WHERE batch_id = b.id) AS asks
FROM batches b WHERE b.id = %(batch)s
