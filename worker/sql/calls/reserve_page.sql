-- Write a call that shows a page of a document, before it is made: nothing where this worker lost the
-- document. A model in the building has no price that a budget could bound.
INSERT INTO calls (id, document_id, batch_id, local_only, purpose, zone, engine, kind, host,
                   stand_in, model_asked, owner, attempt)
SELECT %(id)s, d.id, d.batch_id, b.local_only, 'page', 'local', %(engine)s, %(kind)s, %(host)s,
       false, %(model)s, %(owner)s, d.kills + 1
FROM leases s
JOIN documents d ON d.id = s.item_id
JOIN batches b ON b.id = d.batch_id
WHERE s.stage = 'ingest' AND s.item_id = %(document)s AND s.owner = %(owner)s
RETURNING id
