-- The bytes of a document that waits to be read.
SELECT data FROM document_contents WHERE document_id = %(id)s
