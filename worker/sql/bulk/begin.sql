-- A new bulk for what waits in a line. Of two workers that begin one at once the second has none.
INSERT INTO bulks (batch_id, line_id, engine, model, host)
SELECT l.batch_id, l.id, l.engine, l.model, %(host)s FROM lines l WHERE l.id = %(line_id)s
ON CONFLICT DO NOTHING
