-- The pages of a document that OCR has read before.
SELECT page, text, notes FROM scanned_pages WHERE document_id = %(id)s
