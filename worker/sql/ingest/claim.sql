-- The documents that a claim took; with their bytes where they are short texts.
WITH taken AS (
    SELECT d.id, d.batch_id, d.path, d.media_type, d.kills, s.line_id,
           d.media_type = ANY (%(texts)s) AND d.bytes <= %(most_bytes)s AS is_text
    FROM leases s JOIN documents d ON d.id = s.item_id
    WHERE s.claim = %(claim)s AND d.state = 'pending'
), started AS (
    UPDATE batches b SET started_at = now()
    WHERE b.started_at IS NULL AND b.id IN (SELECT batch_id FROM taken)
)
SELECT t.*, b.local_only, b.allow_provider_batch, b.configuration_id,
       CASE WHEN t.is_text THEN o.data END AS data,
       coalesce((SELECT max(id) FROM learned_models), 0) AS learned_model
FROM taken t
JOIN batches b ON b.id = t.batch_id
JOIN document_contents o ON o.document_id = t.id
WHERE o.document_id = ANY (ARRAY(SELECT id FROM taken))
