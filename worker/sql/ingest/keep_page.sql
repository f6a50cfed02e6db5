-- A page that OCR has read, for whoever goes on with its document; nothing where this worker lost it.
INSERT INTO scanned_pages (document_id, page, text, notes)
SELECT item_id, %(page)s, %(text)s, %(notes)s FROM leases
WHERE stage = 'ingest' AND item_id = %(id)s AND owner = %(owner)s
ON CONFLICT DO NOTHING
