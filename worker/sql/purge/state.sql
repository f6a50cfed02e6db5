-- Why a batch cannot be purged.
SELECT state, EXISTS (
    SELECT FROM lines l
    CROSS JOIN LATERAL (SELECT FROM leases WHERE line_id = l.id LIMIT 1) something
    WHERE l.batch_id = b.id)
    OR EXISTS (SELECT FROM bulks WHERE batch_id = b.id AND bulks.state <> 'closed') AS busy
FROM batches b WHERE id = %(batch)s
