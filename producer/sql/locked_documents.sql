-- The next documents of a batch that need a password, with their bytes.
SELECT d.id, d.media_type, c.data
FROM documents d JOIN document_contents c ON c.document_id = d.id
WHERE d.batch_id = %(batch)s AND d.state = 'needs_password' AND d.id > %(after)s
ORDER BY d.id LIMIT %(most)s
